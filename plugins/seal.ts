import { definePlugin, goBool, goString, invalid, route, type SealStatus, struct } from "../core/plugin.ts";

const unsealRequest = struct("UnsealRequest", { Key: goString, Reset: goBool, Migrate: goBool });

/** A share is 66 characters; a body much larger than that is none. */
const MAX_BODY = 64 * 1024;

/** `sys/seal-status`, `sys/unseal`, `sys/seal`, `sys/step-down`. */
export default definePlugin({
  name: "seal",
  needs: ["seal"],
  routes: ({ seal }) => [
    route({
      operation: "read",
      path: "sys/seal-status",
      summary: "Whether the server is sealed, and how far an unseal has got",
      access: "none",
      form: "bare",
      whileSealed: true,
      audited: false,
      handle: async () => ({ kind: "bare", body: statusBody(await seal.status()) }),
    }),
    route({
      operation: "update",
      path: "sys/unseal",
      summary: "Give one key share towards unsealing",
      access: "none",
      form: "bare",
      whileSealed: true,
      tellsValidity: true,
      maxBody: MAX_BODY,
      body: unsealRequest,
      async handle({ body }) {
        if (body.Migrate) throw invalid("can't perform a seal migration, no migration seal found");
        if (body.Reset) return { kind: "bare", body: statusBody(await seal.reset()) };
        if (body.Key === "") {
          throw invalid("'key' must be specified in request body as JSON, or 'reset' set to true");
        }
        return { kind: "bare", body: statusBody(await seal.submit(body.Key)) };
      },
    }),
    route({
      operation: "update",
      path: "sys/seal",
      summary: "Seal the server",
      access: "sudo",
      form: "bare",
      whileSealed: true,
      async handle() {
        await seal.seal();
        return { kind: "empty" };
      },
    }),
    route({
      operation: "update",
      path: "sys/step-down",
      summary: "Give up leadership: there is no leader, so nothing happens",
      access: "sudo",
      form: "bare",
      whileSealed: true,
      handle: () => ({ kind: "empty" }),
    }),
  ],
});

/** Vault's seal status. `commit_date` is part of it and empty in builds without a stamp. */
function statusBody(status: SealStatus): object {
  return {
    type: "shamir",
    initialized: status.initialised,
    sealed: status.sealed,
    t: status.threshold,
    n: status.shares,
    progress: status.progress,
    nonce: status.nonce,
    recovery_seal: false,
    version: status.version,
    commit_date: "",
    migration: false,
    ...(status.cluster !== undefined && {
      cluster_name: status.cluster.name,
      cluster_id: status.cluster.id,
    }),
    storage_type: status.storageType,
  };
}
