/** What is the same for every path: how paths, verbs, queries, headers and bodies are taken. */
import { envelope, type Row, table } from "./table.ts";

const RELATIVE = ["relative paths not supported"];
const UNSUPPORTED_PATH = ["1 error occurred:\n\t* unsupported path\n\n"];
const UNSUPPORTED_OPERATION = ["1 error occurred:\n\t* unsupported operation\n\n"];
const DENIED = ["permission denied"];
const noRoute = (path: string) => [`no handler for route "${path}". route entry not found.`];
const data = (value: unknown) => envelope(value, { lease_duration: 2_764_800 });

const wire = (path: string, method = "GET") => ({ method, path, wire: true }) as const;

const setUp: readonly Row[] = [
  { name: "mount", request: { method: "POST", path: "sys/mounts/kv", body: { type: "kv" } }, status: 204 },
  { name: "a/b", request: { method: "PUT", path: "kv/a/b", body: { at: "a/b" } }, status: 204 },
];

/** Rows over a socket carry the root token too. */
table("paths", "unsealed", [
  ...setUp,
  { name: "an encoded slash is a slash", request: { path: "kv/a%2Fb" }, status: 200, body: data({ at: "a/b" }) },
  { name: "is decoded once", request: { path: "kv/a%252Fb" }, status: 404, errors: [] },
  { name: "letters may be encoded", request: { path: "%6bv/%61/b" }, status: 200, body: data({ at: "a/b" }) },
  { name: "the prefix, too", request: wire("/%76%31/kv/a/b"), status: 200, body: data({ at: "a/b" }) },
  { name: "a plus is a plus", request: { path: "kv/a+b" }, status: 404, errors: [] },
  { name: "an encoded backslash is none of a slash", request: { path: "kv/a%5Cb" }, status: 404, errors: [] },
  {
    name: "dot segments with an encoded slash",
    request: { path: "kv/a/..%2fb" },
    status: 400,
    errors: ["relative paths not supported"],
  },
  {
    name: "a dot segment with an encoded slash",
    request: { path: "kv/.%2fb" },
    status: 400,
    errors: ["relative paths not supported"],
  },
  { name: "dots that are encoded twice are a name", request: { path: "kv/%252e%252e/b" }, status: 404, errors: [] },
  { name: "three dots are a name", request: { path: "kv/.../b" }, status: 404, errors: [] },
  { name: "dots in a name", request: { path: "kv/a..b" }, status: 404, errors: [] },
  ...["x/../a/b", "x/%2e%2E/a/b", "./a/b", "a/b/%2e", "a/b/..", "x\\y/../a"].map((path): Row => ({
    name: `what the URL parser would clean is refused: ${path}`,
    request: wire(`/v1/kv/${path}`),
    status: 400,
    errors: RELATIVE,
  })),
  ...["a\\b", "a\\..\\b", `a${"/a".repeat(200)}`].map((path): Row => ({
    name: `what it would take for another path is a name: ${path.slice(0, 20)}`,
    request: wire(`/v1/kv/${path}`),
    status: 404,
    errors: [],
  })),
  {
    name: "dots do not lead out of a mount",
    request: { ...wire("/v1/kv/../sys/key-status"), token: "" },
    status: 400,
    errors: RELATIVE,
  },
  { name: "nor out of /v1/", request: wire("/v1/../kv/a/b"), status: 400, errors: RELATIVE },
  { name: "an empty segment", request: { path: "kv//a" }, status: 400, errors: ["empty path segments not supported"] },
  {
    name: "an encoded empty segment",
    request: { path: "kv/%2fa" },
    status: 400,
    errors: ["empty path segments not supported"],
  },
  {
    name: "a leading empty segment",
    request: { path: "/kv/a" },
    status: 400,
    errors: ["empty path segments not supported"],
  },
  ...["%00", "%1f", "%7f", "%0a", "%e2%80%a8", "%c2%a0", "%zz", "%f", "%", "%ff", "%c0%af", "%ed%a0%80"].map(
    (escape): Row => ({ name: `${escape} is refused`, request: { path: `kv/a${escape}b` }, status: 400 }),
  ),
  { name: "raw bytes of U+2028", request: wire("/v1/kv/\u2028"), status: 400 },
  { name: "any other letter", request: { path: "kv/%C3%A4%F0%9F%98%80" }, status: 404, errors: [] },
  { name: "outside /v1/", request: wire("/"), status: 404, errors: [] },
  { name: "/ui", request: wire("/ui/"), status: 404, errors: [] },
  { name: "/v1 without a slash", request: wire("/v1"), status: 404, errors: [] },
  { name: "/v2/", request: wire("/v2/kv/a/b"), status: 404, errors: [] },
  { name: "a slash before it", request: wire("//v1/kv/a/b"), status: 404, errors: [] },
  { name: "/v1/ alone", request: wire("/v1/"), status: 404, errors: noRoute("") },
  { name: "a whole URL", request: wire("http://elsewhere.example/v1/kv/a/b"), status: 200, body: data({ at: "a/b" }) },
  { name: "an unmounted path", request: { path: "none/a" }, status: 404, errors: noRoute("none/a") },
  {
    name: "an unmounted path without a token",
    request: { path: "none/a", token: "" },
    status: 403,
    errors: ["permission denied"],
  },
  { name: "an unknown path of sys/", request: { path: "sys/none" }, status: 404, errors: UNSUPPORTED_PATH },
  {
    name: "the same without a token",
    request: { path: "sys/none", token: "" },
    status: 403,
    errors: ["permission denied"],
  },
  { name: "sys itself", request: { path: "sys" }, status: 404, errors: UNSUPPORTED_PATH },
  { name: "a name that begins like sys", request: { path: "system" }, status: 404, errors: noRoute("system") },
  { name: "a bare path with a slash", request: { path: "sys/health/" }, status: 404, errors: UNSUPPORTED_PATH },
]);

table("verbs", "unsealed", [
  ...setUp,
  ...["TRACE", "PROPFIND", "CONNECT", "MKCOL", "PURGE", "QUERY"].flatMap((verb): Row[] => [
    { name: `${verb} of a secret`, request: wire("/v1/kv/a/b", verb), status: 405, errors: [] },
    { name: `${verb} of seal-status`, request: wire("/v1/sys/seal-status", verb), status: 405, errors: [] },
    { name: `${verb} of an unknown path`, request: wire("/v1/none", verb), status: 405, errors: [] },
  ]),
  { name: "LIST of a folder", request: wire("/v1/kv/a", "LIST"), status: 200, body: envelope({ keys: ["b"] }) },
  { name: "LIST of a leaf", request: wire("/v1/kv/a/b", "LIST"), status: 404, errors: [] },
  { name: "LIST of seal-status", request: wire("/v1/sys/seal-status", "LIST"), status: 405, errors: [] },
  ...["FOO", "get"].map((verb): Row => ({
    name: `${verb} is no verb`,
    request: wire("/v1/kv/a/b", verb),
    status: 405,
    errors: [],
  })),
  ...["SCAN", "HELP"].flatMap((verb): Row[] => [
    { name: `${verb} of a folder`, request: wire("/v1/kv/a", verb), status: 405, errors: UNSUPPORTED_OPERATION },
    { name: `${verb} without a token`, request: { ...wire("/v1/kv/a", verb), token: "" }, status: 403, errors: DENIED },
    { name: `${verb} of seal-status`, request: wire("/v1/sys/seal-status", verb), status: 405, errors: [] },
  ]),
  {
    name: "SCAN of what is not there",
    request: wire("/v1/none", "SCAN"),
    status: 404,
    errors: noRoute("none/"),
  },
  { name: "HEAD of a secret", request: { method: "HEAD", path: "kv/a/b" }, status: 405 },
  { name: "HEAD of what is not there", request: { method: "HEAD", path: "kv/none" }, status: 405 },
  { name: "HEAD of no mount", request: { method: "HEAD", path: "none/a" }, status: 404 },
  { name: "HEAD without a token", request: { method: "HEAD", path: "kv/a/b", token: "" }, status: 403 },
  { name: "HEAD with a wrong token", request: { method: "HEAD", path: "sys/mounts", token: "wrong" }, status: 403 },
  {
    name: "OPTIONS of a secret",
    request: { method: "OPTIONS", path: "kv/a/b" },
    status: 400,
    errors: ["cannot handle internal-only request operation"],
  },
  { name: "OPTIONS of seal-status", request: { method: "OPTIONS", path: "sys/seal-status" }, status: 405, errors: [] },
  { name: "PATCH of a bare path", request: { method: "PATCH", path: "sys/unseal" }, status: 405, errors: [] },
]);

const MERGE = "application/merge-patch+json";
const patch = (headers: Record<string, string>) => ({ method: "PATCH", path: "kv/a/b", body: "{}", headers });

table("queries and headers", "unsealed", [
  ...setUp,
  ...["true", "1", "t", "T", "TRUE", "True"].map((yes): Row => ({
    name: `?list=${yes}`,
    request: { path: `kv/a?list=${yes}` },
    status: 200,
    body: envelope({ keys: ["b"] }),
  })),
  ...["", "false", "0", "f"].map((no): Row => ({
    name: `?list=${no}`,
    request: { path: `kv/a/b?list=${no}` },
    status: 200,
    body: data({ at: "a/b" }),
  })),
  { name: "?list", request: { path: "kv/a/b?list" }, status: 200, body: data({ at: "a/b" }) },
  ...["yes", "2", "tRUE"].map((other): Row => ({
    name: `?list=${other}`,
    request: { path: `kv/a?list=${other}` },
    status: 400,
    errors: [],
  })),
  {
    name: "a bad boolean comes before the token",
    request: { path: "kv/a?list=yes", token: "" },
    status: 400,
    errors: [],
  },
  { name: "list and scan", request: { path: "kv/a?list=true&scan=true" }, status: 400, errors: [] },
  { name: "list is for GET only", request: { method: "PUT", path: "kv/q?list=true", body: { a: 1 } }, status: 204 },
  { name: "scan", request: { path: "kv/a?scan=true" }, status: 405, errors: UNSUPPORTED_OPERATION },
  { name: "scan is for GET only", request: { method: "PUT", path: "kv/q?scan=true", body: { a: 1 } }, status: 204 },
  { name: "scan=false", request: { path: "kv/a/b?scan=false" }, status: 200, body: data({ at: "a/b" }) },
  { name: "scan=maybe", request: { path: "kv/a/b?scan=maybe" }, status: 400, errors: [] },
  { name: "help", request: { path: "kv/a?help=1" }, status: 405, errors: UNSUPPORTED_OPERATION },
  { name: "help without a token", request: { path: "kv/a?help=1", token: "" }, status: 403, errors: DENIED },
  { name: "empty help", request: { path: "kv/a/b?help=" }, status: 200, body: data({ at: "a/b" }) },
  {
    name: "list of what lists nothing",
    request: { path: "sys/key-status?list=true" },
    status: 404,
    errors: UNSUPPORTED_PATH,
  },
  { name: "broken escapes of a query", request: { path: "kv/a/b?x=%zz&%ff" }, status: 200, body: data({ at: "a/b" }) },
  {
    name: "names that JavaScript knows",
    request: { path: "kv/a/b?__proto__=1&constructor=2" },
    status: 200,
    body: data({ at: "a/b" }),
  },
  ...["", "/", "root"].map((name): Row => ({
    name: `namespace "${name}"`,
    request: { path: "kv/a/b", headers: { "x-vault-namespace": name } },
    status: 200,
    body: data({ at: "a/b" }),
  })),
  {
    name: "another namespace",
    request: { path: "kv/a/b", headers: { "x-vault-namespace": "team" } },
    status: 404,
    errors: ["namespace not found"],
  },
  {
    name: "writes nothing there",
    request: { method: "PUT", path: "kv/n", body: { a: 1 }, headers: { "x-vault-namespace": "team" } },
    status: 404,
    errors: ["namespace not found"],
  },
  { name: "nor here", request: { path: "kv/n" }, status: 404, errors: [] },
  ...["", "0"].map((ttl): Row => ({
    name: `wrap TTL "${ttl}"`,
    request: { path: "kv/a/b", headers: { "x-vault-wrap-ttl": ttl } },
    status: 200,
    body: data({ at: "a/b" }),
  })),
  ...["60", "1h", "x", "-1"].map((ttl): Row => ({
    name: `wrap TTL "${ttl}"`,
    request: { path: "kv/a/b", headers: { "x-vault-wrap-ttl": ttl } },
    status: 400,
    errors: ["response wrapping is not supported"],
  })),
  {
    name: "PATCH without a type",
    request: { method: "PATCH", path: "kv/a/b", headers: {} },
    status: 400,
    errors: ["mime: no media type"],
  },
  {
    name: "PATCH of JSON",
    request: patch({ "content-type": "application/json" }),
    status: 415,
    errors: ["PATCH requires Content-Type of application/merge-patch+json"],
  },
  { name: "PATCH", request: patch({ "content-type": MERGE }), status: 405, errors: UNSUPPORTED_OPERATION },
  {
    name: "PATCH with a charset",
    request: patch({ "content-type": `${MERGE}; charset=utf-8` }),
    status: 405,
    errors: UNSUPPORTED_OPERATION,
  },
]);
