/** The key-value engine, version 1. */
import { envelope, type Row, table } from "./table.ts";

const SYSTEM_TTL = 2_764_800;
const MERGE = "application/merge-patch+json";
const MISSING = ["missing data fields"];
const UNSUPPORTED = ["1 error occurred:\n\t* unsupported operation\n\n"];

const put = (path: string, body: unknown, headers: Record<string, string> = {}) => ({
  method: "PUT",
  path,
  body,
  headers,
});
const data = (value: unknown, lease_duration = SYSTEM_TTL) => envelope(value, { lease_duration });

function kept(name: string, text: string, value: unknown, lease?: number): Row[] {
  return [
    { name: `stores ${name}`, request: put("kv/kept", text), status: 204 },
    { name: `gives ${name} back`, request: { path: "kv/kept" }, status: 200, body: data(value, lease) },
  ];
}
function listed(name: string, path: string, keys: readonly string[]): Row {
  return { name, request: { method: "LIST", path }, status: 200, body: envelope({ keys }) };
}

table("kv version 1", "unsealed", [
  { name: "mount", request: { method: "POST", path: "sys/mounts/kv", body: { type: "kv" } }, status: 204 },
  { name: "nothing yet", request: { path: "kv/a" }, status: 404, errors: [] },
  { name: "no list yet", request: { method: "LIST", path: "kv" }, status: 404, errors: [] },
  { name: "write", request: put("kv/a", { user: "u", n: 1, deep: { a: [1, null, true] } }), status: 204 },
  {
    name: "read",
    request: { path: "kv/a" },
    status: 200,
    body: data({ user: "u", n: 1, deep: { a: [1, null, true] } }),
  },
  { name: "without a token", request: { path: "kv/a", token: "" }, status: 403, errors: ["permission denied"] },
  {
    name: "write without a token",
    request: { ...put("kv/a", { a: 2 }), token: "" },
    status: 403,
    errors: ["permission denied"],
  },
  { name: "POST writes, too", request: { method: "POST", path: "kv/a", body: { a: 1 } }, status: 204 },
  { name: "and replaces all", request: { path: "kv/a" }, status: 200, body: data({ a: 1 }) },
  { name: "refuses no body", request: put("kv/a", ""), status: 400, errors: MISSING },
  { name: "refuses an empty object", request: put("kv/a", {}), status: 400, errors: MISSING },
  { name: "refuses null", request: put("kv/a", "null"), status: 400, errors: MISSING },
  {
    name: "refuses a path that ends in a slash",
    request: put("kv/a/", { a: 1 }),
    status: 400,
    errors: ["cannot write to a path ending in '/'"],
  },
  { name: "refuses to write the mount itself", request: put("kv", { a: 1 }), status: 405, errors: UNSUPPORTED },
  {
    name: "PATCH",
    request: { method: "PATCH", path: "kv/a", body: { b: 1 }, headers: { "content-type": MERGE } },
    status: 405,
    errors: UNSUPPORTED,
  },
  { name: "HEAD", request: { method: "HEAD", path: "kv/a" }, status: 405 },
  { name: "a leaf and a folder of one name", request: put("kv/a/b/c", { a: 2 }), status: 204 },
  { name: "one more", request: put("kv/z", { a: 3 }), status: 204 },
  listed("list", "kv", ["a", "a/", "z"]),
  listed("list with a slash", "kv/", ["a", "a/", "z"]),
  listed("list of a folder", "kv/a", ["b/"]),
  {
    name: "list in parts is whole, and says so",
    request: { method: "GET", path: "kv?list=true&after=a&limit=1" },
    status: 200,
    body: envelope(
      { keys: ["a", "a/", "z"] },
      { warnings: ["Endpoint ignored these unrecognized parameters: [after limit]"] },
    ),
  },
  { name: "list of a leaf", request: { method: "LIST", path: "kv/z" }, status: 404, errors: [] },
  { name: "read of a folder", request: { path: "kv/a/" }, status: 404, errors: [] },
  { name: "read of the mount", request: { path: "kv" }, status: 404, errors: [] },
  { name: "delete", request: { method: "DELETE", path: "kv/a/b/c" }, status: 204 },
  { name: "delete what is not there", request: { method: "DELETE", path: "kv/none" }, status: 204 },
  { name: "deleted", request: { path: "kv/a/b/c" }, status: 404, errors: [] },
  listed("its folders are gone, its namesake is not", "kv", ["a", "z"]),
  ...kept(
    "keys that JavaScript knows",
    `{"__proto__":{"a":1},"constructor":"c","toString":null,"hasOwnProperty":2}`,
    JSON.parse(`{"__proto__":{"a":1},"constructor":"c","toString":null,"hasOwnProperty":2}`),
  ),
  ...kept("any text", JSON.stringify({ "": "", "\u0000": "\u2028\ud83d\ude00", "a/b": '\\"' }), {
    "": "",
    "\u0000": "\u2028\ud83d\ude00",
    "a/b": '\\"',
  }),
  ...kept("the last of two keys", `{"a":1,"a":2}`, { a: 2 }),
  ...kept("the first of two values", `{"a":1}{"b":2}`, { a: 1 }),
  ...kept("a lone surrogate as U+FFFD", `{"a":"\\ud800"}`, { a: "\ufffd" }),
  ...kept("a ttl", `{"ttl":"1h"}`, { ttl: "1h" }, 3600),
  ...kept("a lease", `{"lease":90}`, { lease: 90 }, 90),
  ...kept("a ttl that is none", `{"ttl":"soon"}`, { ttl: "soon" }),
  {
    name: "a form",
    request: put("kv/form", "a=1&b=x%20y&a=2", { "content-type": "application/x-www-form-urlencoded" }),
    status: 204,
  },
  { name: "read it", request: { path: "kv/form" }, status: 200, body: data({ a: "1,2", b: "x y" }) },
  {
    name: "JSON in spite of the type of a form",
    request: put("kv/form", `{"c":1}`, { "content-type": "application/x-www-form-urlencoded; charset=utf-8" }),
    status: 204,
  },
  { name: "read that", request: { path: "kv/form" }, status: 200, body: data({ c: 1 }) },
  {
    name: "any other type is taken for JSON",
    request: put("kv/form", `{"d":1}`, { "content-type": "text/plain" }),
    status: 204,
  },
  { name: "query parameters of a write are ignored", request: put("kv/form?x=1", { e: 1 }), status: 204 },
  { name: "read the last", request: { path: "kv/form?x=1" }, status: 200, body: data({ e: 1 }) },
]);
