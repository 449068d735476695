import { bool, definePlugin, invalid, kvPairs, logical, route, string } from "../core/plugin.ts";
import { folder } from "./folder.ts";

const enableBody = logical({ type: string(), description: string(), options: kvPairs(), local: bool() });
const hashBody = logical({ input: string() });

/** `sys/audit`: where requests are recorded. `sys/audit-hash`: how a value looks in those records. */
export default definePlugin({
  name: "audit",
  needs: ["audit"],
  routes: ({ audit }) => [
    route({
      operation: "read",
      path: "sys/audit",
      summary: "List the audit devices",
      access: "sudo",
      form: "duplicate",
      async handle() {
        const devices = await audit.list();
        return { kind: "data", data: Object.fromEntries(devices.map((device) => [device.path, device])) };
      },
    }),
    route({
      operation: "update",
      path: "sys/audit/:path+",
      summary: "Make an audit device, where the configuration allows it",
      access: "sudo",
      body: enableBody,
      async handle({ params, body }) {
        const { type = "", description = "", options = {}, local = false } = body;
        await audit.enable({ path: folder(params["path"]), type, description, options, local });
        return { kind: "empty" };
      },
    }),
    route({
      operation: "delete",
      path: "sys/audit/:path+",
      summary: "Remove an audit device that was made over the API",
      access: "sudo",
      async handle({ params }) {
        await audit.disable(folder(params["path"]));
        return { kind: "empty" };
      },
    }),
    route({
      operation: "update",
      path: "sys/audit-hash/:path+",
      summary: "How a value looks in the lines of a device",
      form: "duplicate",
      body: hashBody,
      async handle({ params, body: { input = "" } }) {
        if (input === "") throw invalid('the "input" parameter is empty');
        return { kind: "data", data: { hash: await audit.hash(folder(params["path"]), input) } };
      },
    }),
  ],
});
