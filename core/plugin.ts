/**
 * The plugin API: all that a plugin sees of Coffer.
 *
 * Routes are data. What a route needs (a token, sudo, a body of a certain form and size, whether it works while sealed)
 * is said in its fields, and the pipeline (`http/app.ts`) sees to it before the handler runs: a plugin cannot
 * forget it. A handler gets decoded, validated input and returns a {@link Reply}; it never sees a request, a driver or
 * a key.
 *
 * A *system plugin* ({@link definePlugin}) answers fixed paths and declares which narrow interfaces it needs. An
 * *engine* ({@link defineEngine}) is mounted at run time, any number of times, and gets a {@link View} of its own.
 */
import type * as v from "valibot";
import type { View } from "./barrier/view.ts";
import type { ObjectText } from "./http/json.ts";
import type { Caller, Needs } from "./needs.ts";
import type { Soon } from "./soon.ts";

export type { View } from "./barrier/view.ts";
export type * from "./needs.ts";
export type { Family as MetricFamily, Sample as MetricSample } from "./metrics/family.ts";
export { ApiError, invalid } from "./errors.ts";
export { fromUtf8, toBase64, toHex, utf8 } from "./encoding.ts";
export { formatDurationShort, parseDuration } from "./duration.ts";
export { SYSTEM_LEASE_TTL } from "./lease.ts";
export {
  anyObject,
  bool,
  durationSeconds,
  int,
  int64,
  kvPairs,
  logical,
  parseBool,
  string,
  stringArray,
} from "./http/fields.ts";
export { isObject, type JsonObject, parseObject, parseObjectText } from "./http/json.ts";
export { stringifySorted } from "./http/json-sorted.ts";
export { goBool, goInt, goString, goStringIfGiven, goStrings, struct } from "./http/json-struct.ts";
export { Secret } from "./secret.ts";
export { soon, type Soon } from "./soon.ts";

/** What a request asks of a path: Vault's operations. POST and PUT are both `update`. */
export type Operation = "read" | "list" | "update" | "patch" | "delete";

/** `token`: any valid token with a policy for the path (the default). `sudo`: that policy also grants sudo. */
export type Access = "none" | "token" | "sudo";

/** What a handler is called with. */
export interface Call<Body> {
  readonly params: Readonly<Record<string, string>>;
  readonly body: Body;
  /** Where the route needs no token, and while sealed: nobody, who has no policies and no token. */
  readonly caller: Caller;
  readonly recordAnswer: RecordAnswer;
}

/**
 * Records an answer at once. It is for a handler whose last step must not be done when that fails, for what it answers
 * cannot be had a second time; it returns that very reply afterwards. Rejects when the answer cannot be recorded.
 */
export type RecordAnswer = (reply: Reply) => Promise<void>;

/** What a handler answers. */
export type Reply =
  /** 204 without a body. */
  | { readonly kind: "empty" }
  /** Vault's envelope around `data`. `leaseDuration` in seconds. */
  | {
      readonly kind: "data";
      readonly data: object | null;
      readonly leaseDuration?: number;
      readonly warnings?: readonly string[];
    }
  /** The same around the text of an object, which is handed on as it is: {@link parseObjectText} makes one. */
  | {
      readonly kind: "json";
      readonly json: ObjectText;
      readonly leaseDuration?: number;
      readonly warnings?: readonly string[];
    }
  /** Vault's envelope around a login or a new token. `displayName`: the token's, which only the audit log tells. */
  | {
      readonly kind: "auth";
      readonly auth: object;
      readonly displayName?: string;
      readonly warnings?: readonly string[];
    }
  /** A body of its own, without envelope. */
  | { readonly kind: "bare"; readonly body: object; readonly status?: number }
  /** A text of its own. */
  | { readonly kind: "text"; readonly text: string; readonly contentType: string; readonly status?: number };

export interface Route<Schema extends v.GenericSchema = v.GenericSchema> {
  readonly operation: Operation;
  /** Relative to the mount for an engine; for a system plugin whole. Its form is described in `http/router.ts`. */
  readonly path: string;
  readonly summary: string;
  /** How the log and the metrics name it: its operation and path. */
  readonly label: string;
  readonly access: Access;
  /**
   * `envelope`: the answer stands in Vault's envelope. `duplicate`: its data is also repeated at the top, as old
   * clients read it. `bare`: without envelope, body fields of fixed types, and another verb gets a plain 405, whatever the token.
   */
  readonly form: "envelope" | "duplicate" | "bare";
  /**
   * Answers while sealed too. A token cannot be checked then: the handler must do without. `unauthenticated`: only where
   * the configuration asks for no token at all.
   */
  readonly whileSealed: boolean | "unauthenticated";
  /**
   * What it answers tells whether a secret in the body is a right one: `invalid` from the handler is a refusal, of which
   * each address has so many a minute.
   */
  readonly tellsValidity: boolean;
  /** The largest request body, in bytes. */
  readonly maxBody: number;
  /** Also answers HEAD, with the status alone. */
  readonly head: boolean;
  /** False for what monitors ask all the time and reveals nothing: no audit entry, and an answer while audit fails. */
  readonly audited: boolean;
  readonly body: Schema | undefined;
  readonly handle: (call: Call<v.InferOutput<Schema>>) => Soon<Reply>;
}

const DEFAULTS = {
  access: "token",
  form: "envelope",
  whileSealed: false,
  tellsValidity: false,
  maxBody: 32 * 1024 * 1024,
  head: false,
  audited: true,
  body: undefined,
} as const;

type Given<Schema extends v.GenericSchema> = Partial<Omit<Route<Schema>, "label">> &
  Pick<Route<Schema>, "operation" | "path" | "summary" | "handle">;

/** Declares a route; `body` is the type of what `handle` gets. */
export function route<Schema extends v.GenericSchema>(given: Given<Schema>): Route {
  return { ...DEFAULTS, ...given, label: `${given.operation} ${given.path}` };
}

export interface Plugin<Need extends keyof Needs = keyof Needs> {
  readonly kind: "system";
  readonly name: string;
  readonly needs: readonly Need[];
  readonly routes: (needs: Pick<Needs, Need>) => readonly Route[];
}

/** Declares a plugin that answers fixed paths. */
export function definePlugin<const Need extends keyof Needs>(plugin: Omit<Plugin<Need>, "kind">): Plugin {
  return { kind: "system", ...plugin };
}

/** What an engine knows of its mount. */
export interface Mounted {
  readonly view: View;
  /** Seconds: the mount's own default lease TTL, or the system's. */
  readonly defaultLeaseTtl: () => number;
}

export interface Engine {
  readonly kind: "engine";
  /** The type by which it is mounted (`kv`). */
  readonly type: string;
  /** The engine's own version where one type has several (`options.version` of a mount). */
  readonly version: string;
  readonly summary: string;
  readonly mount: (mounted: Mounted) => readonly Route[];
}

/** Declares an engine that is mounted at run time. */
export function defineEngine(engine: Omit<Engine, "kind">): Engine {
  return { kind: "engine", ...engine };
}
