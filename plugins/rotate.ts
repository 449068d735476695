import { definePlugin, route } from "../core/plugin.ts";

/** `sys/rotate`: a new encryption key, while everything goes on. OpenBao calls it `sys/rotate/keyring`. */
export default definePlugin({
  name: "rotate",
  needs: ["rotation"],
  routes: ({ rotation }) =>
    ["sys/rotate", "sys/rotate/keyring"].map((path) =>
      route({
        operation: "update",
        path,
        summary: "Replace the encryption key; values under former keys stay readable",
        access: "sudo",
        async handle() {
          await rotation.rotate();
          return { kind: "empty" };
        },
      }),
    ),
});
