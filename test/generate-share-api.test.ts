/** `sys/generate-share` over the wire: what is answered, field for field, and every refusal with its text. */
import { aString, type Row, table } from "./api/table.ts";
import { ATTEMPT, softKey, UPDATE } from "./share-ceremony.ts";

const recipient = await softKey();
const other = await softKey("somebody else");
const { armored, fingerprint } = recipient;
const BASE64 = Buffer.from(armored).toString("base64");

const IDLE = { started: false, progress: 0, required: 2, key: "", pgp_fingerprint: "", complete: false };
const STARTED = { ...IDLE, started: true, pgp_fingerprint: fingerprint };
const COMPLETE = { ...STARTED, progress: 2, key: aString, complete: true };
const NO_TOKEN = { token: "" };
const DENIED = ["permission denied"];
const NONE = ["no share generation in progress"];

function status(name: string, body: unknown): Row {
  return { name, request: { ...NO_TOKEN, path: ATTEMPT }, status: 200, body };
}

function start(name: string, body: unknown, expected: Pick<Row, "body" | "errors">, method = "PUT"): Row {
  const known = expected.errors === undefined ? 200 : 400;
  return { name, request: { method, path: ATTEMPT, body }, status: known, ...expected };
}

/** Gives the share of that number, in hex. */
function give(name: string, index: number, body: unknown, more: object = {}, method = "PUT"): Row {
  return {
    name,
    request: ({ keys }) => ({ ...NO_TOKEN, method, path: UPDATE, body: { key: keys[index], ...more } }),
    status: 200,
    body,
  };
}

function refused(name: string, key: unknown, errors: readonly string[], more: object = {}): Row {
  return { name, request: { ...NO_TOKEN, method: "PUT", path: UPDATE, body: { key, ...more } }, status: 400, errors };
}

function cancel(name: string, method = "DELETE"): Row {
  return { name, request: { method, path: ATTEMPT }, status: 204 };
}

table("generate-share from start to end", "unsealed", [
  status("nothing runs", IDLE),
  cancel("a cancel when nothing runs"),
  start("start", { pgp_key: armored }, { body: STARTED }),
  status("started", STARTED),
  start("a second start", { pgp_key: other.armored }, { errors: ["share generation already in progress"] }),
  status("the first attempt goes on", STARTED),
  give("a share, without a token", 0, { ...STARTED, progress: 1 }),
  status("one of two", { ...STARTED, progress: 1 }),
  cancel("cancel"),
  status("cancelled", IDLE),
  refused("a share after that", "11".repeat(33), NONE),
  start("POST, the document's other name, base64", { "pgp-key": BASE64 }, { body: STARTED }, "POST"),
  give("POST a share", 2, { ...STARTED, progress: 1 }, {}, "POST"),
  {
    name: "the last share, in base64",
    request: ({ keys }) => {
      const key = Buffer.from(keys[1] ?? "", "hex").toString("base64");
      return { ...NO_TOKEN, method: "PUT", path: UPDATE, body: { key } };
    },
    status: 200,
    body: COMPLETE,
  },
  status("nothing runs any more", IDLE),
  {
    name: "n has grown by one",
    request: { ...NO_TOKEN, path: "sys/seal-status" },
    status: 200,
    body: {
      type: "shamir",
      initialized: true,
      sealed: false,
      t: 2,
      n: 4,
      progress: 0,
      nonce: "",
      version: aString,
      commit_date: "",
      migration: false,
      cluster_name: aString,
      cluster_id: aString,
      recovery_seal: false,
      storage_type: aString,
    },
  },
  give("the last share once more gives the answer once more", 1, COMPLETE),
  give("so does any other that took part", 2, COMPLETE, { pgp_fingerprint: fingerprint }),
  {
    name: "but none that did not",
    request: ({ keys }) => ({ ...NO_TOKEN, method: "PUT", path: UPDATE, body: { key: keys[0] } }),
    status: 400,
    errors: NONE,
  },
  start("the next attempt, for the same key", { pgp_key: armored }, { body: STARTED }),
  give(
    "with the fingerprint, as gpg prints it",
    0,
    { ...STARTED, progress: 1 },
    {
      pgp_fingerprint: fingerprint.toUpperCase().replaceAll(/(.{4})/g, "$1 "),
    },
  ),
  give("and its second share", 2, COMPLETE),
]);

table("generate-share refuses", "unsealed", [
  {
    name: "a start without a token",
    request: { ...NO_TOKEN, method: "PUT", path: ATTEMPT, body: { pgp_key: armored } },
    status: 403,
    errors: DENIED,
  },
  {
    name: "a start with a token that is none",
    request: { token: "hvs.none", method: "PUT", path: ATTEMPT, body: { pgp_key: armored } },
    status: 403,
    errors: DENIED,
  },
  {
    name: "a cancel without a token",
    request: { ...NO_TOKEN, method: "DELETE", path: ATTEMPT },
    status: 403,
    errors: DENIED,
  },
  status("nothing was started", IDLE),
  start("no key", {}, { errors: ["pgp_key is required: a new key share is never given out in the clear"] }),
  start("no body", "", { errors: ["pgp_key is required: a new key share is never given out in the clear"] }),
  start(
    "an empty key",
    { pgp_key: "", "pgp-key": "" },
    { errors: ["pgp_key is required: a new key share is never given out in the clear"] },
  ),
  start("what is no key", { pgp_key: "c2VjcmV0" }, { errors: ["the PGP key could not be parsed"] }),
  start("two keys", { pgp_key: armored + other.armored }, { errors: ["one PGP key is needed, not several"] }),
  start(
    "a key of 1 MiB",
    { pgp_key: "A".repeat(1024 * 1024) },
    { errors: ["the PGP key is too large: export it by gpg --export-options export-minimal"] },
  ),
  {
    name: "a body of 3 MiB",
    request: { method: "PUT", path: ATTEMPT, body: { pgp_key: "A".repeat(3 * 1024 * 1024) } },
    status: 413,
    errors: ["http: request body too large"],
  },
  start(
    "a number",
    { pgp_key: 1 },
    {
      errors: [
        "failed to decode JSON input: json: cannot unmarshal number into Go struct field GenerateShareInitRequest.pgp_key of type string",
      ],
    },
  ),
  refused("a share without an attempt", "11".repeat(33), NONE),
  status("still nothing was started", IDLE),
  start("at last a start", { pgp_key: armored }, { body: STARTED }),
  give("and one share", 0, { ...STARTED, progress: 1 }),
  refused("no share", undefined, ["'key' must be specified in request body as JSON"]),
  refused("an empty share", "", ["'key' must be specified in request body as JSON"]),
  refused("a short share", "11".repeat(8), ["invalid key: key is shorter than minimum 16 bytes"]),
  refused("a share of 16 bytes", "11".repeat(16), [
    "invalid key: a key share has 33 bytes, the last of which is not 0",
  ]),
  refused("a share of 32 bytes", "11".repeat(32), [
    "invalid key: a key share has 33 bytes, the last of which is not 0",
  ]),
  refused("a share of 34 bytes", Buffer.alloc(34, 1).toString("base64"), [
    "invalid key: key is longer than maximum 33 bytes",
  ]),
  refused("neither hex nor base64", "not a share!", ["'key' must be a valid hex or base64 string"]),
  refused("x = 0", "11".repeat(32) + "00", ["invalid key: a key share has 33 bytes, the last of which is not 0"]),
  refused("a share of another coffer", "11".repeat(33), ["wrong key share: it is none of this coffer's"]),
  refused("a share that is a number", 7, [
    "failed to decode JSON input: json: cannot unmarshal number into Go struct field GenerateShareUpdateRequest.key of type string",
  ]),
  {
    name: "a share given already",
    request: ({ keys }) => ({
      ...NO_TOKEN,
      method: "PUT",
      path: UPDATE,
      body: { key: ` ${keys[0]?.toUpperCase()}\n` },
    }),
    status: 400,
    errors: ["given key has already been provided during this generation operation"],
  },
  {
    name: "a share with one bit changed",
    request: ({ keys: [, key = ""] }) => {
      const share = Buffer.from(key, "hex");
      share[5] = (share[5] ?? 0) ^ 1;
      return { ...NO_TOKEN, method: "PUT", path: UPDATE, body: { key: share.toString("hex") } };
    },
    status: 400,
    errors: ["wrong key share: it is none of this coffer's"],
  },
  {
    name: "a good share that is meant for another key",
    request: ({ keys }) => ({
      ...NO_TOKEN,
      method: "PUT",
      path: UPDATE,
      body: { key: keys[1], pgp_fingerprint: other.fingerprint },
    }),
    status: 400,
    errors: ["pgp_fingerprint is not the one of this attempt: the share was not counted"],
  },
  ...[{ pgp_fingerprint: "" }, { "pgp-fingerprint": "" }, { "pgp-fingerprint": other.fingerprint }].map(
    (sent): Row => ({
      name: `a good share with ${JSON.stringify(sent)}`,
      request: ({ keys }) => ({ ...NO_TOKEN, method: "PUT", path: UPDATE, body: { key: keys[1], ...sent } }),
      status: 400,
      errors: ["pgp_fingerprint is not the one of this attempt: the share was not counted"],
    }),
  ),
  {
    name: "a cancel without a token, while one runs",
    request: { ...NO_TOKEN, method: "DELETE", path: ATTEMPT },
    status: 403,
    errors: DENIED,
  },
  { name: "a list of attempts", request: { ...NO_TOKEN, method: "DELETE", path: UPDATE }, status: 405, errors: [] },
  { name: "GET of update", request: { ...NO_TOKEN, path: UPDATE }, status: 405, errors: [] },
  { name: "PATCH", request: { method: "PATCH", path: ATTEMPT, body: {} }, status: 405, errors: [] },
  status("what was given stayed", { ...STARTED, progress: 1 }),
  give("and the last share completes it", 1, COMPLETE, { pgp_fingerprint: fingerprint }),
  {
    name: "a repetition that is meant for another key",
    request: ({ keys }) => ({
      ...NO_TOKEN,
      method: "PUT",
      path: UPDATE,
      body: { key: keys[1], pgp_fingerprint: other.fingerprint },
    }),
    status: 400,
    errors: ["pgp_fingerprint is not the one of this attempt: the share was not counted"],
  },
]);

table("generate-share for two keys at once", "unsealed", [
  {
    name: "is refused",
    request: { method: "PUT", path: ATTEMPT, body: { pgp_key: armored, "pgp-key": other.armored } },
    status: 400,
    errors: ["pgp_key and pgp-key are two keys: one is needed"],
  },
  {
    name: "but not where they are the same",
    request: { method: "PUT", path: ATTEMPT, body: { pgp_key: armored, "pgp-key": armored } },
    status: 200,
    body: STARTED,
  },
]);

const SEALED = ["Vault is sealed"];
table("generate-share while sealed", "sealed", [
  { name: "status", request: { ...NO_TOKEN, path: ATTEMPT }, status: 503, errors: SEALED },
  { name: "start", request: { method: "PUT", path: ATTEMPT, body: { pgp_key: armored } }, status: 503, errors: SEALED },
  { name: "cancel", request: { method: "DELETE", path: ATTEMPT }, status: 503, errors: SEALED },
  refusedWhileSealed("a share", "11".repeat(33)),
  refusedWhileSealed("a share that is none", "x"),
]);

function refusedWhileSealed(name: string, key: string): Row {
  return { name, request: { ...NO_TOKEN, method: "PUT", path: UPDATE, body: { key } }, status: 503, errors: SEALED };
}
