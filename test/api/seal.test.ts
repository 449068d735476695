/** `sys/unseal`, `sys/seal`, and what tells the state: seal-status, health, leader, key-status. */
import { expect } from "bun:test";
import { aNumber, aString, duplicated, type Row, table, UUID } from "./table.ts";

const PERMISSION_DENIED = ["permission denied"];
const SEALED = ["Vault is sealed"];

function status(progress: number, nonce: unknown) {
  return {
    type: "shamir",
    initialized: true,
    sealed: true,
    t: 2,
    n: 3,
    progress,
    nonce,
    recovery_seal: false,
    version: aString,
    commit_date: "",
    migration: false,
    storage_type: aString,
  };
}
const UNSEALED = { ...status(0, ""), sealed: false, cluster_name: aString, cluster_id: UUID };
const HEALTHY = {
  initialized: true,
  sealed: false,
  standby: false,
  replication_performance_mode: "disabled",
  replication_dr_mode: "disabled",
  server_time_utc: aNumber,
  version: aString,
  cluster_name: aString,
  cluster_id: UUID,
};
const SLEEPING = {
  initialized: true,
  sealed: true,
  standby: true,
  replication_performance_mode: "unknown",
  replication_dr_mode: "unknown",
  server_time_utc: aNumber,
  version: aString,
};

const unseal = (body: unknown) => ({ method: "PUT", path: "sys/unseal", token: "", body });

function refused(name: string, body: unknown, errors: readonly string[]): Row {
  return { name, request: unseal(body), status: 400, errors };
}
function unchanged(progress: number, nonce: unknown): Row {
  return {
    name: "progress is unchanged",
    request: { path: "sys/seal-status" },
    status: 200,
    body: status(progress, nonce),
  };
}

const notDecoded = ["'key' must be a valid hex or base64 string"];
const missing = ["'key' must be specified in request body as JSON, or 'reset' set to true"];
const wrongType = (kind: string, field: string, type: string) => [
  `failed to decode JSON input: json: cannot unmarshal ${kind} into Go struct field UnsealRequest.${field} of type ${type}`,
];

table("while sealed", "sealed", [
  { name: "a read", request: { path: "kv/a" }, status: 503, errors: SEALED },
  { name: "without a token", request: { path: "kv/a", token: "" }, status: 503, errors: SEALED },
  { name: "key-status", request: { path: "sys/key-status" }, status: 503, errors: SEALED },
  { name: "a bare path with a slash", request: { path: "sys/seal-status/" }, status: 503, errors: SEALED },
  { name: "mounts", request: { path: "sys/mounts" }, status: 503, errors: SEALED },
  { name: "a token's own", request: { path: "auth/token/lookup-self" }, status: 503, errors: SEALED },
  { name: "health", request: { path: "sys/health" }, status: 503, body: SLEEPING },
  { name: "health with another code", request: { path: "sys/health?sealedcode=200" }, status: 200, body: SLEEPING },
  { name: "seal again, without a token", request: { method: "PUT", path: "sys/seal", token: "" }, status: 204 },
  { name: "step-down", request: { method: "PUT", path: "sys/step-down", token: "" }, status: 204 },
  { name: "leader", request: { path: "sys/leader" }, status: 200, body: { ha_enabled: false } },
  {
    name: "init",
    request: { method: "PUT", path: "sys/init", body: { secret_shares: 1, secret_threshold: 1 } },
    status: 400,
    errors: ["Vault is already initialized"],
  },
]);

table("unseal", "sealed", [
  refused("no key", {}, missing),
  refused("no body", "", missing),
  refused("an empty key", { key: "" }, missing),
  refused("null", { key: null }, missing),
  refused("neither hex nor base64", { key: "!".repeat(66) }, notDecoded),
  refused("base64 with a line break inside", { key: `${"A".repeat(20)}\n${"A".repeat(24)}` }, notDecoded),
  refused("a short one", { key: "aabb" }, ["invalid key: key is shorter than minimum 16 bytes"]),
  refused("a long one", { key: Buffer.alloc(34).toString("base64") }, [
    "invalid key: key is longer than maximum 33 bytes",
  ]),
  refused("hex of 34 bytes, which is base64 of 51", { key: "11".repeat(34) }, [
    "invalid key: key is longer than maximum 33 bytes",
  ]),
  refused("32 bytes", { key: "11".repeat(32) }, [
    "invalid key: failed to compute combined key: all parts must be the same length",
  ]),
  refused("x = 0", { key: `${"11".repeat(32)}00` }, [
    "invalid key: failed to compute combined key: a share has no x coordinate of 0",
  ]),
  refused("a number", { key: 1 }, wrongType("number", "Key", "string")),
  refused("a list", { key: ["x"] }, wrongType("array", "Key", "string")),
  {
    name: "a body of more than 64 KiB",
    request: unseal(" ".repeat(64 * 1024 + 1)),
    status: 413,
    errors: ["http: request body too large"],
  },
  refused("a body of 64 KiB", " ".repeat(64 * 1024), missing),
  refused("reset as text", { reset: "true" }, wrongType("string", "Reset", "bool")),
  refused("migrate", { migrate: true, key: "11".repeat(33) }, [
    "can't perform a seal migration, no migration seal found",
  ]),
  unchanged(0, ""),
  {
    name: "the first share, in hex",
    request: ({ keys }) => unseal({ key: keys[0] }),
    status: 200,
    body: status(1, UUID),
  },
  { name: "the same again", request: ({ keys }) => unseal({ key: keys[0] }), status: 200, body: status(1, UUID) },
  {
    name: "the same in base64, in upper case and with space around it",
    request: ({ keys }) => unseal({ KEY: ` ${Buffer.from(keys[0] ?? "", "hex").toString("base64")}\n` }),
    status: 200,
    body: status(1, UUID),
  },
  {
    name: "another with the same x",
    request: ({ keys }) => unseal({ key: "00".repeat(32) + (keys[0] ?? "").slice(-2) }),
    status: 400,
    errors: ["invalid key: failed to compute combined key: duplicate part detected"],
  },
  unchanged(1, UUID),
  {
    name: "a wrong one that completes the set",
    request: ({ keys }) => unseal({ key: "00".repeat(32) + (keys[1] ?? "").slice(-2) }),
    status: 400,
    errors: [
      "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message authentication failed",
    ],
  },
  unchanged(0, ""),
  { name: "the first again", request: ({ keys }) => unseal({ key: keys[2] }), status: 200, body: status(1, UUID) },
  { name: "reset", request: unseal({ reset: true, key: "ignored" }), status: 200, body: status(0, "") },
  { name: "the first, once more", request: ({ keys }) => unseal({ key: keys[2] }), status: 200, body: status(1, UUID) },
  {
    name: "a second share opens it",
    request: ({ keys }) => unseal({ key: keys[1], migrate: false, reset: false }),
    status: 200,
    body: UNSEALED,
  },
  { name: "another is not looked at", request: unseal({ key: "x" }), status: 200, body: UNSEALED },
  refused("though a missing one is", {}, missing),
  refused("reset", { reset: true }, ["vault is unsealed"]),
  { name: "GET", request: { path: "sys/unseal" }, status: 405, errors: [] },
]);

table("state while unsealed", "unsealed", [
  { name: "seal-status", request: { path: "sys/seal-status", token: "" }, status: 200, body: UNSEALED },
  { name: "a bad token does no harm", request: { path: "sys/seal-status", token: "bad" }, status: 200, body: UNSEALED },
  { name: "health", request: { path: "sys/health", token: "" }, status: 200, body: HEALTHY },
  { name: "HEAD", request: { method: "HEAD", path: "sys/health" }, status: 200 },
  { name: "another code", request: { path: "sys/health?activecode=250&sealedcode=299" }, status: 250, body: HEALTHY },
  { name: "a code without a body", request: { path: "sys/health?activecode=204" }, status: 204 },
  { name: "any spelling of a boolean", request: { path: "sys/health?standbyok=T" }, status: 200, body: HEALTHY },
  { name: "an empty one", request: { path: "sys/health?standbyok" }, status: 200, body: HEALTHY },
  { name: "an unknown parameter", request: { path: "sys/health?perfstandbyok=x" }, status: 200, body: HEALTHY },
  ...["activecode=abc", "activecode=", "sealedcode=1e2", "uninitcode=99", "activecode=1000", "standbyok=maybe"].map(
    (query): Row => ({ name: query, request: { path: `sys/health?${query}` }, status: 400, errors: [] }),
  ),
  { name: "POST", request: { method: "POST", path: "sys/health" }, status: 405, errors: [] },
  { name: "leader", request: { path: "sys/leader", token: "" }, status: 200, body: { ha_enabled: false } },
  {
    name: "key-status",
    request: { path: "sys/key-status" },
    status: 200,
    body: duplicated({
      term: 1,
      install_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/),
      encryptions: aNumber,
    }),
  },
  { name: "without a token", request: { path: "sys/key-status", token: "" }, status: 403, errors: PERMISSION_DENIED },
  {
    name: "with a slash",
    request: { path: "sys/key-status/" },
    status: 404,
    errors: ["1 error occurred:\n\t* unsupported path\n\n"],
  },
  {
    name: "DELETE",
    request: { method: "DELETE", path: "sys/key-status" },
    status: 405,
    errors: ["1 error occurred:\n\t* unsupported operation\n\n"],
  },
]);

table("seal", "unsealed", [
  {
    name: "without a token",
    request: { method: "PUT", path: "sys/seal", token: "" },
    status: 403,
    errors: PERMISSION_DENIED,
  },
  {
    name: "with a wrong one",
    request: { method: "PUT", path: "sys/seal", token: "x" },
    status: 403,
    errors: PERMISSION_DENIED,
  },
  { name: "GET", request: { path: "sys/seal" }, status: 405, errors: [] },
  { name: "malformed JSON", request: { method: "PUT", path: "sys/seal", body: "{" }, status: 400, errors: [aString] },
  {
    name: "step-down without a token",
    request: { method: "PUT", path: "sys/step-down", token: "" },
    status: 403,
    errors: PERMISSION_DENIED,
  },
  { name: "step-down changes nothing", request: { method: "PUT", path: "sys/step-down" }, status: 204 },
  { name: "still unsealed", request: { path: "sys/seal-status" }, status: 200, body: UNSEALED },
  { name: "seals", request: { method: "POST", path: "sys/seal" }, status: 204 },
  unchanged(0, ""),
]);
