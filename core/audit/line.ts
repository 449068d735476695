/**
 * The lines of one device, in Vault's format: one JSON object per request and one per answer, fields left out when they
 * are empty. A line is put together from pieces of text: who asked is the same for every request of a token, and the
 * answer's line repeats the request's pieces.
 *
 *     {"time":…,"type":"request","auth":{…},"request":{…},"error":…}
 *     {"time":…,"type":"response","auth":{…},"request":{…},"response":{…},"error":…}
 *
 * While the server is sealed the salt is out of reach: then there is no hash, and lines have no bodies.
 */
import { sha256 } from "../crypto.ts";
import { toBase64, utf8 } from "../encoding.ts";
import { auditError, wireError } from "../errors.ts";
import { isObject, type JsonObject, objectOf } from "../http/json.ts";
import type { Peer } from "../http/peer.ts";
import type { AskedOperation } from "../http/request.ts";
import type { Caller, HeldToken } from "../needs.ts";
import type { Reply } from "../plugin.ts";
import { type Hash, hashLeaves } from "./leaves.ts";
import type { LineOptions } from "./options.ts";

/** What is recorded of a request. */
export interface AuditedRequest {
  readonly id: string;
  readonly operation: AskedOperation;
  readonly path: string;
  readonly data: JsonObject;
  readonly peer: Peer;
  readonly mount: AuditedMount | undefined;
  readonly caller: Caller;
  /** The caller's token; undefined without a valid one. */
  readonly holder: HeldToken | undefined;
  /** A token that is not valid, as it was sent. */
  readonly unknownToken: string | undefined;
  /** Why it is not carried out; undefined when it is. */
  readonly refusal: unknown;
  /** Key shares pass through its body: those are hashed whatever the options say. */
  readonly hasShares: boolean;
}

/** The mount that a path belongs to. */
export interface AuditedMount {
  readonly path: string;
  readonly type: string;
  readonly class: "secret" | "auth";
  readonly accessor?: string | undefined;
}

/** What came of a request. */
export type Outcome = { readonly reply: Reply } | { readonly error: unknown };

/** The pieces of a request that both of its lines have. */
export interface RequestPieces {
  readonly request: AuditedRequest;
  readonly text: string;
  /** The members that name the mount, which the answer repeats once more. */
  readonly mount: string;
}

const ANONYMOUS = '{"token_type":"default"}';

interface Identity {
  /** The `auth` of whoever is allowed what was asked. */
  readonly auth: string;
  /** Token and accessor, as the `request` repeats them. */
  readonly token: string;
  /** Who is counted as a client, as the `request` tells it. */
  readonly client: string;
}

export class LineFormat {
  readonly #options: LineOptions;
  readonly #hash: Hash | undefined;
  readonly #identities = new WeakMap<Caller, Identity>();

  /** `hash`: undefined while sealed. */
  constructor(options: LineOptions, hash: Hash | undefined) {
    this.#options = options;
    this.#hash = hash;
  }

  begin(request: AuditedRequest): RequestPieces {
    const { caller, holder, refusal } = request;
    let identity: Identity | undefined;
    if (holder !== undefined) {
      identity = this.#identities.get(caller);
      if (identity === undefined) {
        identity = this.#identify(holder);
        this.#identities.set(caller, identity);
      }
    }
    // What is not allowed is rare: only the rest is kept.
    const auth = refusal !== undefined && holder !== undefined ? this.#auth(holder, false) : identity?.auth;
    const { unknownToken: sent } = request;
    const token = identity?.token ?? (sent === undefined ? "" : member("client_token", quoted(this.#secret(sent))));
    const mount = mountMembers(request.mount);
    const text = `"auth":${auth ?? ANONYMOUS},"request":${this.#request(request, mount, token, identity?.client ?? "")}`;
    return { request, text, mount };
  }

  requestLine(at: string, { request: { refusal, holder }, text }: RequestPieces): string {
    const error = refusal === undefined ? undefined : wireError(refusal, holder !== undefined).errors[0];
    return `${this.#options.prefix}{"time":"${at}","type":"request",${text}${errorMember(error)}}\n`;
  }

  responseLine(at: string, { request, text, mount }: RequestPieces, outcome: Outcome): string {
    const error = "error" in outcome ? auditError(outcome.error) : undefined;
    const content = "error" in outcome ? this.#failure(request, outcome.error) : this.#reply(request, outcome.reply);
    const response = `{${(mount + content).slice(1)}}`;
    return `${this.#options.prefix}{"time":"${at}","type":"response",${text},"response":${response}${errorMember(error)}}\n`;
  }

  #request(request: AuditedRequest, mount: string, token: string, client: string): string {
    const { id, operation, path, data, peer } = request;
    const body = this.#body(data, request.hasShares);
    const port = peer.port === undefined ? "" : `,"remote_port":${peer.port}`;
    const address = peer.address === undefined ? "" : `,"remote_address":${JSON.stringify(peer.address)}${port}`;
    const members = `"id":"${id}"${client},"operation":"${operation}"${mount}${token}`;
    return `{${members},"namespace":{"id":"root"},"path":${JSON.stringify(path)}${member("data", body)}${address}}`;
  }

  #failure({ holder, hasShares }: AuditedRequest, error: unknown): string {
    const text = wireError(error, holder !== undefined).errors[0];
    return text === undefined ? "" : member("data", this.#body({ error: text }, hasShares));
  }

  #reply({ operation, hasShares }: AuditedRequest, reply: Reply): string {
    if (reply.kind === "empty") return "";
    if (reply.kind === "bare") return member("data", this.#body(reply.body, hasShares));
    if (reply.kind === "text") {
      const { contentType, text, status = 200 } = reply;
      const raw = { http_content_type: contentType, http_raw_body: text, http_status_code: status };
      return member("data", this.#body(raw, hasShares));
    }
    const { warnings = [] } = reply;
    const said = warnings.length === 0 ? "" : member("warnings", JSON.stringify(warnings));
    if (reply.kind === "auth") return member("auth", this.#madeToken(reply)) + said;
    const { leaseDuration } = reply;
    const data = reply.kind === "json" ? objectOf(reply.json) : reply.data;
    // Vault's word for an answer with a lease that cannot be renewed.
    const secret = leaseDuration === undefined ? "" : ',"secret":{}';
    if (data === null) return secret + said;
    const elided = this.#options.elideListResponses && operation === "list" ? countsOf(data) : data;
    return `${secret}${member("data", this.#body(elided, hasShares))}${said}`;
  }

  /** The text of a body; undefined when it is empty, and while sealed. */
  #body(data: object, hasShares: boolean): string | undefined {
    if (this.#hash === undefined) return undefined;
    const text = this.#options.logRaw && !hasShares ? JSON.stringify(data) : hashLeaves(data, this.#hash);
    return text === "{}" ? undefined : text;
  }

  #identify(holder: HeldToken): Identity {
    const accessor = this.#options.hmacAccessor ? this.#secret(holder.info.accessor) : holder.info.accessor;
    const token = member("client_token", quoted(this.#secret(holder.token.reveal())));
    return {
      auth: this.#auth(holder, true),
      token: token + member("client_token_accessor", quoted(accessor)),
      client: member("client_id", quoted(clientId(holder.info.policies))),
    };
  }

  #auth({ token, info }: HeldToken, allowed: boolean): string {
    const granting = info.policies.map((name) => ({ name, namespace_id: "root", type: "acl" }));
    return JSON.stringify({
      client_token: this.#secret(token.reveal()),
      accessor: this.#options.hmacAccessor ? this.#secret(info.accessor) : info.accessor,
      display_name: info.displayName || undefined,
      policies: info.policies,
      token_policies: info.policies,
      policy_results: allowed ? { allowed, granting_policies: granting } : { allowed },
      metadata: info.meta !== null && Object.keys(info.meta).length > 0 ? info.meta : undefined,
      token_type: "service",
      token_issue_time: new Date(info.creationTime * 1000).toISOString().replace(".000Z", "Z"),
    });
  }

  /** A login, or a token that was made: what the answer's `auth` says, in the fields of a line's `auth`. */
  #madeToken({ auth, displayName }: Reply & { readonly kind: "auth" }): string {
    const given = auth as JsonObject;
    const text = (name: string, hashed: boolean) => {
      const value = given[name];
      if (typeof value !== "string" || value === "") return undefined;
      return hashed ? this.#secret(value) : value;
    };
    const filled = (name: string) => {
      const value = given[name];
      const isEmpty = value === null || value === 0 || (isObject(value) && Object.keys(value).length === 0);
      return isEmpty ? undefined : value;
    };
    return JSON.stringify({
      client_token: text("client_token", true),
      accessor: text("accessor", this.#options.hmacAccessor),
      display_name: displayName || undefined,
      policies: filled("policies"),
      token_policies: filled("token_policies"),
      metadata: filled("metadata"),
      num_uses: filled("num_uses"),
      token_type: text("token_type", false),
      token_ttl: filled("lease_duration"),
    });
  }

  /** A token or an accessor as the line shows it; while sealed not at all. */
  #secret(text: string): string | undefined {
    if (this.#hash === undefined) return undefined;
    return this.#options.logRaw ? text : this.#hash(text);
  }
}

/** Vault's name for whoever uses a token of no entity, by which clients are counted: its policies and the namespace `root`. */
function clientId(policies: readonly string[]): string {
  return toBase64(sha256(utf8(`${policies.toSorted().join("\u007f")}\u0000root`)));
}

function mountMembers(mount: AuditedMount | undefined): string {
  if (mount === undefined) return "";
  const { path, type, accessor } = mount;
  const named = accessor === undefined ? "" : `,"mount_accessor":${JSON.stringify(accessor)}`;
  return `,"mount_point":${JSON.stringify(path)},"mount_type":${JSON.stringify(type)}${named},"mount_class":"${mount.class}"`;
}

function member(name: string, json: string | undefined): string {
  return json === undefined ? "" : `,"${name}":${json}`;
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : JSON.stringify(text);
}

function errorMember(error: string | undefined): string {
  return member("error", quoted(error));
}

/** The answer to a list with the number of its keys in the place of the keys. */
function countsOf(data: object): object {
  const { keys, key_info, ...rest } = data as JsonObject;
  return {
    ...rest,
    ...(keys !== undefined && { keys: Array.isArray(keys) ? keys.length : keys }),
    ...(key_info !== undefined && { key_info: isObject(key_info) ? Object.keys(key_info).length : key_info }),
  };
}
