/**
 * The storage contract. A driver keeps ciphertext under paths and promises little, so that one engine runs on a file,
 * on Redis and in a Durable Object: single entries, byte order, and the swap of one key.
 *
 * Keys are well-formed Unicode strings; `/` separates segments, none of which is empty. `a` and `a/b` may both exist. The
 * engine checks this before it calls a driver. A value above `maxValue` rejects with a RangeError, certainly not written.
 *
 * Bytes are handed over, in both directions: neither side changes them afterwards, so a driver in memory needs no copies.
 * Nor does a driver take them away: one that hands memory to another thread (file.ts) makes a copy for that.
 *
 * A driver that has nothing to wait for answers a read, or throws, at once. Then those who read at the same time have their
 * values one after the other, and not all of them in memory together.
 *
 * A write has three outcomes and no others:
 * - it resolves (a swap: with `true`): the value is durable, it survives a crash of the process and of the machine;
 * - a swap resolves with `false`: it was certainly not written, another value was there;
 * - it rejects with {@link Unknown}: it may have been written, and can not land any later than this rejection.
 *
 * Before a driver says Unknown it settles what it can. It reads back once the write can no longer land: after a swap,
 * the new value → `true`, still the expected value → tried once more, anything else (absent where absent was expected
 * included) → Unknown; after a put, the new value → done, else Unknown, and it is never sent again; after a delete,
 * absent → done; after a swap that deletes, gone → Unknown.
 */
export interface Driver extends AsyncDisposable {
  /** What `sys/seal-status` shows as `storage_type`, in Vault's words: `file`, `inmem`, … */
  readonly type: string;
  /** The largest value in bytes, at least 1 MiB. The engine refuses a larger one before it gets here. */
  readonly maxValue: number;
  /** True when no other process or engine can write to this store as long as the driver is open. */
  readonly exclusive: boolean;
  /**
   * The bytes stored under `key`; undefined when it is certainly absent. Rejects when the backend cannot tell: with
   * {@link DamagedEntry} where it knows that they are not what was written, with {@link StoreError} where the store as a
   * whole is damaged.
   */
  get(key: string): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Stores `value`. */
  put(key: string, value: Uint8Array): Promise<void>;
  /**
   * Stores `value` if the stored bytes are exactly `was`; `undefined` means absent, on either side. This is the only
   * thing that the engine asks of a backend to keep several writers apart.
   */
  swap(key: string, was: Uint8Array | undefined, value: Uint8Array | undefined): Promise<boolean>;
  /** Removes `key`. Removing an absent key is not an error. */
  delete(key: string): Promise<void>;
  /**
   * The direct children of the folder `prefix` (`""` or ending in `/`), in byte order of their UTF-8; folders end in
   * `/`. `page.after` is the child after which to go on, whether or not it is still there; `page.limit` how many at the
   * most.
   */
  list(prefix: string, page?: Page): string[] | Promise<string[]>;
}

export interface Page {
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

/** A write that may or may not have happened. The client gets a 500 for it, never a mismatch. */
export class Unknown extends Error {
  override readonly name = "Unknown";
}

/** The bytes under a key are not those that were written. The message does not have the key: it may name a secret. */
export class DamagedEntry extends Error {
  override readonly name = "DamagedEntry";
  readonly #key: string;

  constructor(key: string) {
    super("the stored bytes are not what was written");
    this.#key = key;
  }

  /** Not a plain property, which a log would show. */
  get key(): string {
    return this.#key;
  }
}

/** A store that cannot be opened as it is: in use, damaged, not writable, of a newer format. The message says where. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** What to do about it, for the person who reads the message. */
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}
