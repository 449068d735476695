import { definePlugin, route } from "../core/plugin.ts";

/** `sys/host-info`: the machine that this node runs on. */
export default definePlugin({
  name: "host-info",
  needs: ["host"],
  routes: ({ host }) => [
    route({
      operation: "read",
      path: "sys/host-info",
      summary: "The machine that this node runs on: processors, disks, memory",
      handle: async () => ({ kind: "data", data: await host.info() }),
    }),
  ],
});
