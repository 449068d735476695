/**
 * Tokens. An entry is stored under a keyed hash of the token, never under the token: `sys/token/id/h<hex of
 * HMAC-SHA256(salt, token)>`, as in Vault. So far every token is a root token without an end.
 *
 * Revoking makes the entry a tombstone by compare-and-swap before its children are listed; creating a child writes the
 * index under the parent first and reads the parent again last. Whichever comes first, no child outlives its parent.
 * A marker under `sys/token/revoking/` lets the next unseal finish what a crash cut off.
 *
 * Ids may be chosen, so the same id may come back as another token. The accessor, which is drawn at random, tells them
 * apart: who acts for a token, or on it, checks that it is still the one that was meant.
 */
import * as v from "valibot";
import type { Barrier } from "../barrier/barrier.ts";
import { CachedEntries } from "../barrier/cached-entry.ts";
import type { Clock } from "../clock.ts";
import { hmacSha256Hex, randomBytes } from "../crypto.ts";
import { fromUtf8, utf8, uuidOf } from "../encoding.ts";
import { ApiError, invalid } from "../errors.ts";
import type { Caller, HeldToken, TokenInfo, TokenNeeds, TokenSettings } from "../needs.ts";
import { Secret } from "../secret.ts";
import { soon, type Soon } from "../soon.ts";
import { parseStored, stringMap } from "../stored-json.ts";
import { randomBase62 } from "./random-text.ts";

export const TOKEN_SALT_PATH = "sys/token/salt";
const IDS = "sys/token/id/";
const PARENTS = "sys/token/parent/";
const REVOKING = "sys/token/revoking/";
const CACHED_TOKENS = 10_000;
/** `hvs.` and 24 base62 digits: what Vault's clients expect of a service token. */
const PREFIX = "hvs.";
const ID_DIGITS = 24;

const tokenSchema = v.object({
  type: v.literal("service"),
  accessor: v.string(),
  /** Salted id of the parent; empty for an orphan. */
  parent: v.string(),
  policies: v.array(v.string()),
  path: v.string(),
  meta: v.nullable(stringMap),
  display_name: v.string(),
  /** Seconds since 1970. */
  creation_time: v.number(),
  /** A tombstone: the token is no longer valid, and its children are being revoked. */
  revoked: v.optional(v.boolean(), false),
});
type StoredToken = Readonly<v.InferOutput<typeof tokenSchema>>;

export class Tokens implements TokenNeeds {
  readonly #barrier: Barrier;
  readonly #clock: Clock;
  readonly #hash: (token: string) => string;
  readonly #entries: CachedEntries<StoredToken>;
  /** One caller for an entry, for as long as the entry is kept. */
  readonly #callers = new WeakMap<StoredToken, Caller>();
  /** The token that a caller came with: plugins hold the caller, never the token. */
  readonly #held = new WeakMap<Caller, HeldToken>();
  /** Where the entry of a token lies, by the headers that it came in. */
  readonly #paths = new WeakMap<object, { readonly token: string; readonly path: string }>();

  private constructor(barrier: Barrier, clock: Clock, salt: Uint8Array) {
    this.#barrier = barrier;
    this.#clock = clock;
    this.#hash = hmacSha256Hex(salt);
    this.#entries = new CachedEntries(barrier, decodeToken, CACHED_TOKENS);
  }

  /** Opens the token store and finishes the revocations that a crash cut off. */
  static async open(barrier: Barrier, clock: Clock): Promise<Tokens> {
    const salt = await barrier.get(TOKEN_SALT_PATH);
    if (salt === undefined) throw new ApiError("damaged", `${TOKEN_SALT_PATH} is missing`);
    const tokens = new Tokens(barrier, clock, salt);
    for (const id of await barrier.list(REVOKING)) await tokens.#finishRevoking(id);
    for (const folder of await barrier.list(PARENTS)) await tokens.#revokeOrphans(folder.slice(0, -1));
    return tokens;
  }

  /** A fresh salt, to be stored at `sys/token/salt` before the store is opened for the first time. */
  static newSalt(): Uint8Array {
    return utf8(uuidOf(randomBytes(16)));
  }

  /**
   * Who holds `token`; undefined when nobody does, or no longer. `headers`: that it came in. A connection that sends the
   * same ones again has one object for them, and the token in it is hashed once.
   */
  authenticate(token: string, headers: object): Soon<Caller | undefined> {
    let known = this.#paths.get(headers);
    if (known?.token !== token) this.#paths.set(headers, (known = { token, path: IDS + this.#idOf(token) }));
    return soon(this.#entries.read(known.path), (entry) => this.#callerOf(entry?.value, token));
  }

  #callerOf(entry: StoredToken | undefined, token: string): Caller | undefined {
    if (entry === undefined || entry.revoked) return undefined;
    let caller = this.#callers.get(entry);
    if (caller === undefined) {
      const { accessor, policies } = entry;
      caller = { accessor, policies };
      this.#callers.set(entry, caller);
      this.#held.set(caller, { token: new Secret(token), info: infoOf(entry) });
    }
    return caller;
  }

  /** The token of a caller as it was when it was checked; undefined for nobody. */
  heldBy(caller: Caller): HeldToken | undefined {
    return this.#held.get(caller);
  }

  /** The first root token, which belongs to nobody. */
  async createRoot(): Promise<string> {
    const token = PREFIX + randomBase62(ID_DIGITS);
    const stored = this.#newToken("", "auth/token/root", {
      id: undefined,
      displayName: "root",
      meta: null,
      orphan: true,
    });
    await this.#barrier.put(IDS + this.#idOf(token), encodeToken(stored));
    return token;
  }

  async create(caller: Caller, settings: TokenSettings): Promise<HeldToken> {
    const parent = settings.orphan ? "" : this.#idOf(this.#tokenOf(caller));
    const token = settings.id ?? PREFIX + randomBase62(ID_DIGITS);
    const id = this.#idOf(token);
    const stored = this.#newToken(parent, "auth/token/create", settings);
    if ((await this.#barrier.stored(IDS + id)) !== undefined) throw duplicate();
    if (parent !== "") await this.#barrier.put(`${PARENTS}${parent}/${id}`, new Uint8Array());
    const swapped = this.#entries.swap(IDS + id, undefined, encodeToken(stored));
    // Also when it cannot be told whether the child was written: it must not live on without its parent.
    await swapped.catch(() => undefined);
    if (parent !== "" && (await this.#isGone(parent, caller.accessor))) {
      await this.#revoke(id, ({ accessor }) => accessor === stored.accessor);
      throw new ApiError("permission-denied");
    }
    if (!(await swapped)) throw duplicate();
    return { token: new Secret(token), info: infoOf(stored) };
  }

  async self(caller: Caller): Promise<HeldToken> {
    const token = this.#tokenOf(caller);
    const entry = await this.#entries.read(IDS + this.#idOf(token));
    if (entry === undefined || entry.value.revoked) throw new ApiError("permission-denied");
    return { token: new Secret(token), info: infoOf(entry.value) };
  }

  async revokeSelf(caller: Caller): Promise<void> {
    const id = this.#idOf(this.#tokenOf(caller));
    await this.#barrier.put(REVOKING + id, utf8(caller.accessor));
    await this.#finishRevoking(id);
  }

  /** A child that was written just when a crash cut off the look at its parent must not outlive that parent. */
  async #revokeOrphans(parent: string): Promise<void> {
    if (!(await this.#isRevoked(parent))) return;
    for (const child of await this.#barrier.list(`${PARENTS}${parent}/`)) {
      await this.#revoke(child, (token) => token.parent === parent);
      await this.#barrier.delete(`${PARENTS}${parent}/${child}`);
    }
  }

  /** A token whose entry is damaged is not taken for revoked: it cannot be used, but nobody has ended its children. */
  async #isRevoked(id: string): Promise<boolean> {
    try {
      const entry = await this.#entries.read(IDS + id);
      return entry === undefined || entry.value.revoked;
    } catch (error) {
      if (error instanceof ApiError && error.code === "damaged") return false;
      throw error;
    }
  }

  /** Does what the marker of `id` says, and removes the marker. */
  async #finishRevoking(id: string): Promise<void> {
    const accessor = await this.#barrier.get(REVOKING + id);
    if (accessor === undefined) return;
    await this.#revoke(id, (token) => token.accessor === fromUtf8(accessor));
    await this.#barrier.delete(REVOKING + id);
  }

  /**
   * Revokes the token `id` and all below it, if `isMeant` says so of what is stored there. Safe to run again, and beside
   * another run of itself. `above`: the ids through which this call came here.
   */
  async #revoke(
    id: string,
    isMeant: (token: StoredToken) => boolean,
    above: ReadonlySet<string> = new Set(),
  ): Promise<boolean> {
    for (;;) {
      const entry = await this.#entries.read(IDS + id);
      if (entry === undefined) return false;
      if (!isMeant(entry.value)) return true;
      if (entry.value.revoked) break;
      if (await this.#entries.swap(IDS + id, entry.stored, encodeToken({ ...entry.value, revoked: true }))) break;
    }
    const within = new Set([...above, id]);
    for (const child of await this.#barrier.list(`${PARENTS}${id}/`)) {
      // The index may name what is no child: who lost the race for a chosen id has left it. Nor is it free of circles.
      const isThere = within.has(child) || (await this.#revoke(child, (token) => token.parent === id, within));
      // One that is not there may be about to be written. Should its node die right after, the next unseal needs the index.
      if (isThere) await this.#barrier.delete(`${PARENTS}${id}/${child}`);
    }
    const tombstone = await this.#entries.read(IDS + id);
    if (tombstone?.value.revoked !== true) return true;
    // While the tombstone stands the id is taken, so what is deleted here is no other token's index.
    if (above.size === 0 && tombstone.value.parent !== "")
      await this.#barrier.delete(`${PARENTS}${tombstone.value.parent}/${id}`);
    await this.#entries.remove(IDS + id, tombstone.stored);
    return true;
  }

  /** Whether the token `id` that has this accessor is revoked, or is no more. */
  async #isGone(id: string, accessor: string): Promise<boolean> {
    const entry = await this.#barrier.get(IDS + id);
    if (entry === undefined) return true;
    const token = decodeToken(entry, IDS + id);
    return token.revoked || token.accessor !== accessor;
  }

  #newToken(parent: string, path: string, settings: TokenSettings): StoredToken {
    return {
      type: "service",
      accessor: randomBase62(ID_DIGITS),
      parent,
      policies: ["root"],
      path,
      meta: settings.meta === null ? null : { ...settings.meta },
      display_name: settings.displayName,
      creation_time: Math.floor(this.#clock.now() / 1000),
      revoked: false,
    };
  }

  #idOf(token: string): string {
    return `h${this.#hash(token)}`;
  }

  #tokenOf(caller: Caller): string {
    const token = this.#held.get(caller)?.token;
    if (token === undefined) throw new ApiError("permission-denied");
    return token.reveal();
  }
}

function infoOf(token: StoredToken): TokenInfo {
  return {
    accessor: token.accessor,
    policies: token.policies,
    path: token.path,
    displayName: token.display_name,
    meta: token.meta,
    orphan: token.parent === "",
    creationTime: token.creation_time,
  };
}

function encodeToken(token: StoredToken): Uint8Array {
  return utf8(JSON.stringify(token));
}

function decodeToken(value: Uint8Array, path: string): StoredToken {
  return parseStored(tokenSchema, value, path, "token");
}

function duplicate(): ApiError {
  return invalid("cannot create a token with a duplicate ID");
}
