/** `sys/mounts`. */
import { expect } from "bun:test";
import { aString, duplicated, type Row, table, UUID } from "./table.ts";

const SYSTEM_TTL = 2_764_800;
const SYSTEM = {
  type: "system",
  description: "system endpoints used for control, policy and debugging",
  accessor: expect.stringMatching(/^system_[0-9a-f]{8}$/) as unknown,
  uuid: UUID,
  local: false,
  seal_wrap: true,
  external_entropy_access: false,
  options: null,
  plugin_version: "",
  running_plugin_version: aString,
  running_sha256: "",
  config: { default_lease_ttl: 0, max_lease_ttl: 0, force_no_cache: false },
};
const KV = {
  ...SYSTEM,
  type: "kv",
  description: "",
  accessor: expect.stringMatching(/^kv_[0-9a-f]{8}$/) as unknown,
  seal_wrap: false,
  options: {},
  deprecation_status: "supported",
};
const TUNE = { description: "", default_lease_ttl: SYSTEM_TTL, max_lease_ttl: SYSTEM_TTL, force_no_cache: false };

const mount = (path: string, body: unknown) => ({ method: "POST", path: `sys/mounts/${path}`, body });
const tune = (path: string, body: unknown) => mount(`${path}/tune`, body);

function refused(name: string, request: Row["request"], error: unknown): Row {
  return { name: `refuses ${name}`, request, status: 400, errors: [error] };
}
function invalidField(name: string, value: unknown, tail: string): Row {
  const error = `Field validation failed: error converting input for field "${name}": ${tail}`;
  return refused(`${name} of ${JSON.stringify(value)}`, mount("x", { type: "kv", [name]: value }), error);
}

table("mounts", "unsealed", [
  {
    name: "a new coffer has the system's own",
    request: { path: "sys/mounts" },
    status: 200,
    body: duplicated({ "sys/": SYSTEM }),
  },
  { name: "without a token", request: { path: "sys/mounts", token: "" }, status: 403, errors: ["permission denied"] },
  { name: "mount", request: mount("kv", { type: "kv" }), status: 204 },
  { name: "read one", request: { path: "sys/mounts/kv" }, status: 200, body: duplicated(KV) },
  { name: "read one with a slash", request: { path: "sys/mounts/kv/" }, status: 200, body: duplicated(KV) },
  {
    name: "mount with all that is heeded",
    request: mount("a/b", {
      type: "kv-v1",
      description: "d",
      local: "true",
      seal_wrap: 1,
      options: ["version=1"],
      config: { default_lease_ttl: "1h", max_lease_ttl: 7200, force_no_cache: false, listing_visibility: "" },
      unknown: 1,
    }),
    status: 204,
  },
  {
    name: "and all of it is there",
    request: { path: "sys/mounts/a/b" },
    status: 200,
    body: duplicated({
      ...KV,
      description: "d",
      local: true,
      seal_wrap: true,
      options: { version: "1" },
      config: { default_lease_ttl: 3600, max_lease_ttl: 7200, force_no_cache: false },
    }),
  },
  {
    name: "tune shows the TTLs in force",
    request: { path: "sys/mounts/a/b/tune" },
    status: 200,
    body: duplicated({
      ...TUNE,
      description: "d",
      default_lease_ttl: 3600,
      max_lease_ttl: 7200,
      options: { version: "1" },
    }),
  },
  { name: "tune of a plain one", request: { path: "sys/mounts/kv/tune" }, status: 200, body: duplicated(TUNE) },
  {
    name: "tune",
    request: tune("kv", { description: "new", default_lease_ttl: "2h", max_lease_ttl: "1d" }),
    status: 204,
  },
  { name: "tune of nothing", request: tune("kv", {}), status: 204 },
  { name: "tune back to the system's", request: tune("kv", { max_lease_ttl: "system" }), status: 204 },
  {
    name: "tuned",
    request: { path: "sys/mounts/kv/tune" },
    status: 200,
    body: duplicated({ ...TUNE, description: "new", default_lease_ttl: 7200 }),
  },
  { name: "a description of the system's", request: tune("sys", { description: "mine" }), status: 204 },
  { name: "mount in a folder beside", request: mount("a/c/", { type: "kv" }), status: 400, errors: [aString] },
  { name: "mount in a folder beside, without a slash", request: mount("a/c", { type: "kv" }), status: 204 },
  {
    name: "all of them",
    request: { path: "sys/mounts" },
    status: 200,
    body: expect.objectContaining({
      "sys/": expect.anything() as unknown,
      "kv/": expect.anything() as unknown,
      "a/b/": expect.anything() as unknown,
      "a/c/": expect.anything() as unknown,
    }) as unknown,
  },
  { name: "unmount", request: { method: "DELETE", path: "sys/mounts/a/c" }, status: 204 },
  { name: "unmount again", request: { method: "DELETE", path: "sys/mounts/a/c" }, status: 204 },
  { name: "unmount a mere parent", request: { method: "DELETE", path: "sys/mounts/a" }, status: 204 },
  { name: "which keeps what is below", request: { path: "sys/mounts/a/b" }, status: 200, body: expect.anything() },
  refused("to read what was unmounted", { path: "sys/mounts/a/c" }, "No secret engine mount at a/c/"),
  {
    name: "which answers no more",
    request: { path: "a/c/x" },
    status: 404,
    errors: ['no handler for route "a/c/x". route entry not found.'],
  },
  { name: "POST of all", request: { method: "POST", path: "sys/mounts", body: {} }, status: 405, errors: [aString] },
  { name: "LIST", request: { method: "LIST", path: "sys/mounts" }, status: 404, errors: [aString] },
]);

table("mounts that are refused", "unsealed", [
  { name: "mount", request: mount("kv", { type: "kv" }), status: 204 },
  refused("no type", mount("x", {}), "backend type must be specified as a string"),
  refused("no body", mount("x", ""), "backend type must be specified as a string"),
  refused(
    "an unknown type",
    mount("x", { type: "none" }),
    `plugin not found in the catalog: "type" names no engine of this server`,
  ),
  refused(
    "another spelling",
    mount("x", { type: "KV" }),
    `plugin not found in the catalog: "type" names no engine of this server`,
  ),
  refused("a version that is not there", mount("x", { type: "kv", options: { version: "3" } }), aString),
  refused("a taken path", mount("kv", { type: "kv" }), "path is already in use at kv/"),
  refused("a path below a taken one", mount("kv/x", { type: "kv" }), "path is already in use at kv/"),
  ...["sys/x", "sys", "auth/x", "audit/x", "identity/x", "cubbyhole/x"].map((path) =>
    refused(path, mount(path, { type: "kv" }), `cannot mount "${path}/"`),
  ),
  refused("to unmount the system", { method: "DELETE", path: "sys/mounts/sys" }, 'cannot unmount "sys/"'),
  refused(
    "a default TTL above the system's",
    mount("x", { type: "kv", config: { default_lease_ttl: "10000h" } }),
    `given default lease TTL greater than system max lease TTL of ${SYSTEM_TTL}`,
  ),
  refused(
    "a default TTL above the other",
    mount("x", { type: "kv", config: { default_lease_ttl: 2, max_lease_ttl: 1 } }),
    "given default lease TTL greater than given max lease TTL",
  ),
  refused(
    "what it would not heed",
    mount("x", { type: "kv", config: { listing_visibility: "unauth" } }),
    'mounts with "listing_visibility" are not supported',
  ),
  refused(
    "a plugin's version",
    mount("x", { type: "kv", plugin_version: "v1" }),
    'mounts with "plugin_version" are not supported',
  ),
  invalidField("type", {}, "'' expected type 'string', got unconvertible type 'map[string]interface {}'"),
  invalidField("description", [1], "'' expected type 'string', got unconvertible type '[]interface {}'"),
  invalidField("local", "maybe", "'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax"),
  invalidField("options", "no pair", "invalid key pair"),
  refused("config that is no object", mount("x", { type: "kv", config: 1 }), aString),
  refused("a TTL that is none", mount("x", { type: "kv", config: { max_lease_ttl: "abc" } }), aString),
  refused("to read what is not there", { path: "sys/mounts/none" }, "No secret engine mount at none/"),
  refused(
    "to read the tuning of what is not there",
    { path: "sys/mounts/none/tune" },
    'cannot fetch sysview for path "none/"',
  ),
  refused("to tune what is not there", tune("none", {}), 'tune of path "none/" failed: no mount entry found'),
  refused(
    "to tune the system's TTLs",
    tune("sys", { max_lease_ttl: 1 }),
    "cannot tune parameter max_lease_ttl of sys/",
  ),
  refused(
    "a default above the maximum",
    tune("kv", { default_lease_ttl: 2, max_lease_ttl: 1 }),
    "backend max lease TTL of 1 would be less than backend default lease TTL of 2",
  ),
  refused("options", tune("kv", { options: { version: "2" } }), 'mounts with "options" are not supported'),
  {
    name: "none of it left a trace",
    request: { path: "sys/mounts" },
    status: 200,
    body: duplicated({ "sys/": SYSTEM, "kv/": KV }),
  },
]);
