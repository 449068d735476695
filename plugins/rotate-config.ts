import { bool, definePlugin, durationSeconds, formatDurationShort, int64, logical, route } from "../core/plugin.ts";

const configBody = logical({ max_operations: int64(), interval: durationSeconds({ roundUp: true }), enabled: bool() });

/** `sys/rotate/config`: when the encryption key is replaced by itself. OpenBao calls it `sys/rotate/keyring/config`. */
export default definePlugin({
  name: "rotate-config",
  needs: ["rotation"],
  routes: ({ rotation }) =>
    ["sys/rotate/config", "sys/rotate/keyring/config"].flatMap((path) => [
      route({
        operation: "read",
        path,
        summary: "Read when the encryption key is replaced by itself",
        async handle() {
          const { maxOperations, interval, enabled } = await rotation.config();
          const data = { max_operations: maxOperations, interval: formatDurationShort(interval), enabled };
          return { kind: "data", data };
        },
      }),
      route({
        operation: "update",
        path,
        summary: "Set after how many encryptions, or at which age, the encryption key is replaced",
        body: configBody,
        async handle({ body }) {
          await rotation.configure({
            maxOperations: body.max_operations,
            interval: body.interval,
            enabled: body.enabled,
          });
          return { kind: "empty" };
        },
      }),
    ]),
});
