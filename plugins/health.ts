import * as v from "valibot";
import { definePlugin, invalid, parseBool, route, type SealStatus } from "../core/plugin.ts";

/** A status that a response can have and that carries a final answer. */
const statusCode = v.pipe(v.string(), v.regex(/^[+-]?\d+$/), v.transform(Number), v.minValue(200), v.maxValue(599));
const query = v.object({
  activecode: v.optional(statusCode, "200"),
  standbycode: v.optional(statusCode, "429"),
  sealedcode: v.optional(statusCode, "503"),
  uninitcode: v.optional(statusCode, "501"),
  /** No node is ever a standby, but a word that is no boolean is refused as in Vault. */
  standbyok: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => text === "" || parseBool(text) !== undefined),
    ),
  ),
});

/** `sys/health`, for load balancers; `sys/leader`. */
export default definePlugin({
  name: "health",
  needs: ["seal"],
  routes: ({ seal }) => [
    route({
      operation: "read",
      path: "sys/health",
      summary: "The state of this node, told by the status code",
      access: "none",
      form: "bare",
      whileSealed: true,
      audited: false,
      head: true,
      body: v.record(v.string(), v.unknown()),
      async handle({ body }) {
        const codes = v.safeParse(query, body);
        // Vault says no more than the status.
        if (!codes.success) throw invalid("");
        const status = await seal.status();
        return { kind: "bare", status: codes.output[stateOf(status)], body: healthBody(status) };
      },
    }),
    route({
      operation: "read",
      path: "sys/leader",
      summary: "Who leads: every node serves, so there is no leader",
      access: "none",
      form: "bare",
      whileSealed: true,
      audited: false,
      handle: () => ({ kind: "bare", body: { ha_enabled: false } }),
    }),
  ],
});

function stateOf({ initialised, sealed }: SealStatus): "uninitcode" | "sealedcode" | "activecode" {
  if (!initialised) return "uninitcode";
  return sealed ? "sealedcode" : "activecode";
}

function healthBody({ initialised, sealed, version, cluster }: SealStatus): object {
  return {
    initialized: initialised,
    sealed,
    // A sealed node calls itself a standby in Vault, and clients know it so.
    standby: sealed,
    replication_performance_mode: sealed ? "unknown" : "disabled",
    replication_dr_mode: sealed ? "unknown" : "disabled",
    server_time_utc: Math.floor(Date.now() / 1000),
    version,
    ...(cluster !== undefined && { cluster_name: cluster.name, cluster_id: cluster.id }),
  };
}
