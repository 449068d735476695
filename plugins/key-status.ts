import { definePlugin, route } from "../core/plugin.ts";

const HALF_FULL = "the keyring is half full: until old terms are gone the default max_operations is in force";

/** `sys/key-status`: the active term of the keyring, and how much it has encrypted. */
export default definePlugin({
  name: "key-status",
  needs: ["keys"],
  routes: ({ keys }) => [
    route({
      operation: "read",
      path: "sys/key-status",
      summary: "The active encryption key: its term, age and number of encryptions",
      form: "duplicate",
      async handle() {
        const { term, installTime, encryptions, halfFull } = await keys.status();
        const data = { term, install_time: installTime, encryptions };
        return { kind: "data", data, warnings: halfFull ? [HALF_FULL] : [] };
      },
    }),
  ],
});
