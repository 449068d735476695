import { definePlugin, route } from "../core/plugin.ts";

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
        const { term, installTime, encryptions } = await keys.status();
        return { kind: "data", data: { term, install_time: installTime, encryptions } };
      },
    }),
  ],
});
