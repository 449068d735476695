/** Who answers for a path, and by which route: a system plugin, or the engine of the mount whose prefix it is. */
import type { FoundMount, LiveMount, Mounts } from "../access/mounts.ts";
import type { AuditedMount } from "../audit/line.ts";
import { ApiError } from "../errors.ts";
import type { Operation, Route } from "../plugin.ts";
import { soon, type Soon } from "../soon.ts";
import type { Query } from "./path.ts";
import { type AskedOperation, operationOf } from "./request.ts";
import type { Match, Router } from "./router.ts";

/** Where there is no list and no query that makes one. */
const BARE_VERBS: ReadonlyMap<string, Operation> = new Map([
  ["GET", "read"],
  ["HEAD", "read"],
  ["POST", "update"],
  ["PUT", "update"],
  ["DELETE", "delete"],
]);

export interface Target {
  readonly path: string;
  readonly query: Query;
  readonly match: Match<Route> | undefined;
  /** False when no mount, and no system plugin, answers for this path. */
  readonly mounted: boolean;
  /** The mount that answers. */
  readonly mount?: LiveMount | undefined;
}

/** Finds who answers for the path: a system plugin, or a mount. */
export function find(
  system: Router<Route>,
  mounts: Mounts | undefined,
  path: string,
  query: Query,
  method: string,
): Soon<Target> {
  // A list, or a scan, names a folder, with or without its slash.
  const isList = method === "LIST" || method === "SCAN" || (method === "GET" && (query.list || query.scan));
  const whole = isList && !path.endsWith("/") ? `${path}/` : path;
  if (/^(?:sys|auth)(?:\/|$)/.test(path)) {
    const exact = system.match(path);
    // Where there is no list, `?list=true` is a parameter like any other.
    if (exact !== undefined && isBare(exact)) return { path, query, match: exact, mounted: true };
    const match = system.match(whole);
    return { path: whole, query, match, mounted: /^(?:sys|auth\/token)(?:\/|$)/.test(path) };
  }
  return soon(mounts?.find(whole), (found) => targetOf(whole, query, found));
}

function targetOf(path: string, query: Query, found: FoundMount | undefined): Target {
  const match = found?.mount.router.match(found.rest);
  return { path, query, match, mounted: found !== undefined, mount: found?.mount };
}

/** The operation, and the route for it; undefined when there is none, which is told only to who has a token. */
export function routeOf(
  method: string,
  query: Query,
  { match }: Target,
): { operation: AskedOperation; route: Route | undefined } {
  if (match !== undefined && isBare(match)) {
    const route = match.operations.get(BARE_VERBS.get(method) ?? "");
    if (route === undefined || (method === "HEAD" && !route.head)) throw new ApiError("method-not-allowed");
    return { operation: route.operation, route };
  }
  const operation = operationOf(method, query);
  return { operation, route: match?.operations.get(operation) };
}

/** Vault serves these outside of its logical paths: another verb is a plain 405, whatever the token. */
function isBare(match: Match<Route>): boolean {
  for (const route of match.operations.values()) if (route.form === "bare") return true;
  return false;
}

/** What an audit entry says of the mount that a path belongs to. */
export function mountOf({ path, mount }: Target, mounts: Mounts | undefined): Soon<AuditedMount | undefined> {
  if (mount !== undefined) {
    const { path: point, type, accessor } = mount.entry;
    return { path: point, type, accessor, class: "secret" };
  }
  if (path.startsWith("sys/")) {
    const accessor = mounts === undefined ? undefined : mounts.systemAccessor();
    return soon(accessor, (known) => ({ path: "sys/", type: "system", accessor: known, class: "secret" }) as const);
  }
  return path.startsWith("auth/token/") ? { path: "auth/token/", type: "token", class: "auth" } : undefined;
}

/** Why there is no route: told only to who has a token. */
export function missing({ path, match, mounted }: Target): ApiError {
  if (match !== undefined) return new ApiError("unsupported-operation");
  if (mounted) return new ApiError("unsupported-path");
  return new ApiError("no-route", `no handler for route "${path}". route entry not found.`);
}
