import * as v from "valibot";
import {
  bool,
  definePlugin,
  durationSeconds,
  invalid,
  isObject,
  kvPairs,
  logical,
  type Mount,
  route,
  string,
  SYSTEM_LEASE_TTL,
} from "../core/plugin.ts";
import { folder } from "./folder.ts";

/** Seconds; `system` stands for the system's own TTL. */
const leaseTtl = v.pipe(
  v.unknown(),
  v.transform((value) => (value === "system" ? 0 : value)),
  durationSeconds(),
);
const anything = v.unknown();
/** What Vault's mounts can be told and these would not heed: refused, so that nobody counts on it. */
const notHeeded = {
  allowed_response_headers: anything,
  audit_non_hmac_request_keys: anything,
  audit_non_hmac_response_keys: anything,
  external_entropy_access: anything,
  force_no_cache: anything,
  listing_visibility: anything,
  passthrough_request_headers: anything,
  plugin_version: anything,
  token_type: anything,
  user_lockout_config: anything,
};
const settings = { default_lease_ttl: leaseTtl, max_lease_ttl: leaseTtl };
const enableBody = logical({
  type: string(),
  description: string(),
  local: bool(),
  seal_wrap: bool(),
  options: kvPairs(),
  config: v.nullable(logical({ ...settings, ...notHeeded, options: anything })),
  plugin_name: string(),
  external_entropy_access: anything,
  plugin_version: anything,
});
const tuneBody = logical({ description: string(), ...settings, ...notHeeded, options: anything });

/** Other names of engine types, as Vault knows them. */
const ALIASES: ReadonlyMap<string, { type: string; version: string }> = new Map([
  ["kv-v1", { type: "kv", version: "1" }],
  ["kv-v2", { type: "kv", version: "2" }],
]);

/** `sys/mounts`: which engine answers below which path. */
export default definePlugin({
  name: "mounts",
  needs: ["mounts"],
  routes: ({ mounts }) => {
    const find = async (path: string) => (await mounts.list()).find((mount) => mount.path === path);
    return [
      route({
        operation: "read",
        path: "sys/mounts",
        summary: "List the mounts",
        form: "duplicate",
        async handle() {
          const all = await mounts.list();
          return {
            kind: "data",
            data: Object.fromEntries(all.map((mount) => [mount.path, mountBody(mount)])),
          };
        },
      }),
      route({
        operation: "read",
        path: "sys/mounts/:path+/tune",
        summary: "Read the settings of a mount",
        form: "duplicate",
        async handle({ params }) {
          const path = folder(params["path"]);
          const mount = await find(path);
          if (mount === undefined) throw invalid(`cannot fetch sysview for path "${path}"`);
          return { kind: "data", data: tuneReply(mount) };
        },
      }),
      route({
        operation: "update",
        path: "sys/mounts/:path+/tune",
        summary: "Change the description and the lease TTLs of a mount",
        body: tuneBody,
        async handle({ params, body }) {
          refuseNotHeeded(body);
          await mounts.tune(folder(params["path"]), {
            description: body.description,
            defaultLeaseTtl: body.default_lease_ttl,
            maxLeaseTtl: body.max_lease_ttl,
          });
          return { kind: "empty" };
        },
      }),
      route({
        operation: "read",
        path: "sys/mounts/:path+",
        summary: "Read one mount",
        form: "duplicate",
        async handle({ params }) {
          const path = folder(params["path"]);
          const mount = await find(path);
          if (mount === undefined) throw invalid(`No secret engine mount at ${path}`);
          return { kind: "data", data: mountBody(mount) };
        },
      }),
      route({
        operation: "update",
        path: "sys/mounts/:path+",
        summary: "Mount an engine",
        body: enableBody,
        async handle({ params, body }) {
          const { external_entropy_access, plugin_version } = body;
          const config = body.config ?? {};
          refuseNotHeeded({ external_entropy_access, plugin_version, ...config });
          const type = body.type || body.plugin_name || "";
          if (type === "") throw invalid("backend type must be specified as a string");
          const alias = ALIASES.get(type);
          await mounts.enable({
            path: folder(params["path"]),
            type: alias?.type ?? type,
            description: body.description ?? "",
            local: body.local ?? false,
            sealWrap: body.seal_wrap ?? false,
            options: { ...body.options, ...(alias !== undefined && { version: alias.version }) },
            defaultLeaseTtl: config.default_lease_ttl,
            maxLeaseTtl: config.max_lease_ttl,
          });
          return { kind: "empty" };
        },
      }),
      route({
        operation: "delete",
        path: "sys/mounts/:path+",
        summary: "Unmount an engine and delete its data",
        async handle({ params }) {
          await mounts.disable(folder(params["path"]));
          return { kind: "empty" };
        },
      }),
    ];
  },
});

function refuseNotHeeded(fields: Readonly<Record<string, unknown>>): void {
  const refused = [...Object.keys(notHeeded), "options"].filter((name) => !isUnset(fields[name]));
  if (refused.length > 0)
    throw invalid(`mounts with ${refused.map((name) => `"${name}"`).join(", ")} are not supported`);
}

/** What clients send for a setting that nobody has made. */
function isUnset(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === false || value === "";
}

function mountBody(mount: Mount): object {
  return {
    type: mount.type,
    description: mount.description,
    accessor: mount.accessor,
    uuid: mount.uuid,
    local: mount.local,
    seal_wrap: mount.sealWrap,
    external_entropy_access: false,
    options: mount.options,
    plugin_version: "",
    running_plugin_version: "",
    running_sha256: "",
    ...(!mount.builtIn && { deprecation_status: "supported" }),
    config: {
      default_lease_ttl: mount.defaultLeaseTtl,
      max_lease_ttl: mount.maxLeaseTtl,
      force_no_cache: false,
    },
  };
}

function tuneReply(mount: Mount): object {
  return {
    description: mount.description,
    default_lease_ttl: mount.defaultLeaseTtl || SYSTEM_LEASE_TTL,
    max_lease_ttl: mount.maxLeaseTtl || SYSTEM_LEASE_TTL,
    force_no_cache: false,
    ...(mount.options !== null && Object.keys(mount.options).length > 0 && { options: mount.options }),
  };
}
