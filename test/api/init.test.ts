/** `sys/init`, and what everything answers before it. */
import { expect } from "bun:test";
import { aNumber, aString, type Row, table } from "./table.ts";

const SEALED = ["Vault is sealed"];
const UNINITIALISED = {
  type: "shamir",
  initialized: false,
  sealed: true,
  t: 0,
  n: 0,
  progress: 0,
  nonce: "",
  recovery_seal: false,
  version: aString,
  commit_date: "",
  migration: false,
  storage_type: expect.stringMatching(/^(?:file|inmem)$/) as unknown,
};
const HEALTH = {
  initialized: false,
  sealed: true,
  standby: true,
  replication_performance_mode: "unknown",
  replication_dr_mode: "unknown",
  server_time_utc: aNumber,
  version: aString,
};
const HEX_SHARE: unknown = expect.stringMatching(/^[0-9a-f]{66}$/);
const BASE64_SHARE: unknown = expect.stringMatching(/^[A-Za-z0-9+/]{44}$/);

const settings = (secret_shares: unknown, secret_threshold: unknown) => ({ secret_shares, secret_threshold });
const configuration = (why: string) => [`invalid seal configuration: ${why}`];
const wrongType = (kind: string, field: string, type: string) => [
  `failed to decode JSON input: json: cannot unmarshal ${kind} into Go struct field InitRequest.${field} of type ${type}`,
];

function refused(name: string, body: unknown, errors: readonly string[]): Row {
  return { name: `init: ${name}`, request: { method: "PUT", path: "sys/init", body }, status: 400, errors };
}

table("before init", "uninitialised", [
  { name: "sys/init says no", request: { path: "sys/init" }, status: 200, body: { initialized: false } },
  { name: "seal-status", request: { path: "sys/seal-status" }, status: 200, body: UNINITIALISED },
  { name: "health is 501", request: { path: "sys/health" }, status: 501, body: HEALTH },
  { name: "health with another code", request: { path: "sys/health?uninitcode=299" }, status: 299, body: HEALTH },
  { name: "health of HEAD", request: { method: "HEAD", path: "sys/health" }, status: 501 },
  { name: "leader", request: { path: "sys/leader" }, status: 200, body: { ha_enabled: false } },
  { name: "key-status", request: { path: "sys/key-status" }, status: 503, errors: SEALED },
  { name: "mounts", request: { path: "sys/mounts" }, status: 503, errors: SEALED },
  {
    name: "mount",
    request: { method: "POST", path: "sys/mounts/kv", body: { type: "kv" } },
    status: 503,
    errors: SEALED,
  },
  { name: "a token", request: { method: "POST", path: "auth/token/create", body: {} }, status: 503, errors: SEALED },
  { name: "any path", request: { path: "secret/x" }, status: 503, errors: SEALED },
  { name: "an unknown path of sys/", request: { path: "sys/none" }, status: 503, errors: SEALED },
  { name: "seal", request: { method: "PUT", path: "sys/seal" }, status: 204 },
  { name: "step-down", request: { method: "PUT", path: "sys/step-down" }, status: 204 },
  {
    name: "unseal",
    request: { method: "PUT", path: "sys/unseal", body: { key: "00".repeat(33) } },
    status: 400,
    errors: ["Vault is not initialized"],
  },
  {
    name: "reset",
    request: { method: "PUT", path: "sys/unseal", body: { reset: true } },
    status: 200,
    body: UNINITIALISED,
  },
]);

table("init", "uninitialised", [
  refused("an empty body", {}, configuration("shares must be at least one")),
  refused("no body", "", configuration("shares must be at least one")),
  refused("no shares", settings(0, 0), configuration("shares must be at least one")),
  refused("negative shares", settings(-1, -1), configuration("shares must be at least one")),
  refused("no threshold", { secret_shares: 5 }, configuration("threshold must be at least one")),
  refused("a threshold alone", { secret_threshold: 3 }, configuration("shares must be at least one")),
  refused("256 shares", settings(256, 3), configuration("shares must be less than 256")),
  refused("a threshold of 256", settings(255, 256), configuration("threshold must be less than 256")),
  refused("a threshold above the shares", settings(3, 4), configuration("threshold cannot be larger than shares")),
  refused("one of many", settings(3, 1), configuration("threshold must be greater than one for multiple shares")),
  refused("a string", settings("3", 2), wrongType("string", "secret_shares", "int")),
  refused("a boolean", settings(3, true), wrongType("bool", "secret_threshold", "int")),
  refused("a fraction", settings(3.5, 2), wrongType("number", "secret_shares", "int")),
  refused("a whole number with a point", `{"secret_shares":3.0}`, wrongType("number", "secret_shares", "int")),
  refused("1e300", `{"secret_shares":1e300}`, wrongType("number", "secret_shares", "int")),
  refused("a list", settings([3], 2), wrongType("array", "secret_shares", "int")),
  refused("an object", settings({}, 2), wrongType("object", "secret_shares", "int")),
  refused(
    "PGP keys that are no list",
    { ...settings(3, 2), pgp_keys: "x" },
    wrongType("string", "pgp_keys", "[]string"),
  ),
  refused("PGP keys of numbers", { ...settings(3, 2), pgp_keys: [1] }, wrongType("number", "pgp_keys", "string")),
  refused("PGP keys", { ...settings(1, 1), pgp_keys: ["eA=="] }, [
    "error parsing given PGP key: pgp_keys[0]: the PGP key could not be parsed",
  ]),
  refused("a PGP key for the token", { ...settings(1, 1), root_token_pgp_key: "eA==" }, [
    "error parsing given PGP key: root_token_pgp_key: the PGP key could not be parsed",
  ]),
  refused("recovery keys", { ...settings(1, 1), recovery_shares: 1, recovery_threshold: 1 }, [
    "parameters recovery_shares,recovery_threshold not applicable to seal type shamir",
  ]),
  { name: "DELETE", request: { method: "DELETE", path: "sys/init" }, status: 405, errors: [] },
  { name: "HEAD", request: { method: "HEAD", path: "sys/init" }, status: 405 },
  { name: "a query for a list", request: { path: "sys/init?list=true" }, status: 200, body: { initialized: false } },
  {
    name: "nothing was initialised by all that",
    request: { path: "sys/init" },
    status: 200,
    body: { initialized: false },
  },
  {
    name: "gives shares in hex and base64 and a root token; names of fields in any case, unknown ones ignored",
    request: { method: "POST", path: "sys/init", body: { Secret_Shares: 3, SECRET_THRESHOLD: 2, stored_shares: "x" } },
    status: 200,
    body: {
      keys: [HEX_SHARE, HEX_SHARE, HEX_SHARE],
      keys_base64: [BASE64_SHARE, BASE64_SHARE, BASE64_SHARE],
      root_token: expect.stringMatching(/^hvs\.[A-Za-z0-9]{24}$/) as unknown,
    },
  },
  { name: "sys/init says yes", request: { path: "sys/init" }, status: 200, body: { initialized: true } },
  refused("once is enough", settings(3, 2), ["Vault is already initialized"]),
  {
    name: "leaves it sealed",
    request: { path: "sys/seal-status" },
    status: 200,
    body: { ...UNINITIALISED, initialized: true, t: 2, n: 3 },
  },
  {
    name: "health is 503 now",
    request: { path: "sys/health" },
    status: 503,
    body: { ...HEALTH, initialized: true },
  },
]);

table("init with a single share", "uninitialised", [
  {
    name: "gives the key itself",
    request: { method: "PUT", path: "sys/init", body: settings(1, 1) },
    status: 200,
    body: {
      keys: [expect.stringMatching(/^[0-9a-f]{64}$/)],
      keys_base64: [expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/)],
      root_token: aString,
    },
  },
  {
    name: "and a status that says so",
    request: { path: "sys/seal-status" },
    status: 200,
    body: { ...UNINITIALISED, initialized: true, t: 1, n: 1 },
  },
  {
    name: "a share of 33 bytes is none here",
    request: { method: "PUT", path: "sys/unseal", body: { key: "11".repeat(33) } },
    status: 400,
    errors: ["invalid key: failed to setup unseal key: crypto/aes: invalid key size 33"],
  },
  {
    name: "nor is another key",
    request: { method: "PUT", path: "sys/unseal", body: { key: "11".repeat(32) } },
    status: 400,
    errors: [
      "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message authentication failed",
    ],
  },
]);
