import { sameBytes } from "../encoding.ts";
import type { Soon } from "../soon.ts";
import type { Barrier } from "./barrier.ts";

interface Held<T> {
  readonly stored: Uint8Array;
  readonly value: T;
}

/**
 * A few entries of one kind that almost every request reads (the mount table, tokens), kept decoded. Every stored value
 * is unique, so the same stored bytes are the same value and need no decryption; and where nobody else can write to the
 * store, they need no reading either.
 *
 * Undefined is not kept: what is absent may appear.
 */
export class CachedEntries<T> {
  readonly #barrier: Barrier;
  readonly #decode: (value: Uint8Array, path: string) => T;
  readonly #limit: number;
  readonly #held = new Map<string, Held<T>>();
  /** Goes up when something is changed here, so that a read which began before does not keep what it found. */
  #changes = 0;

  /** Keeps at most `limit` entries, the oldest go first. */
  constructor(barrier: Barrier, decode: (value: Uint8Array, path: string) => T, limit: number) {
    this.#barrier = barrier;
    this.#decode = decode;
    this.#limit = limit;
  }

  /** The entry at `path` and its stored bytes, for a later swap: at once where it is kept and cannot have changed. */
  read(path: string): Soon<Held<T> | undefined> {
    const held = this.#held.get(path);
    return held !== undefined && this.#barrier.exclusive ? held : this.#readAnew(path, held);
  }

  async #readAnew(path: string, held: Held<T> | undefined): Promise<Held<T> | undefined> {
    if (held !== undefined) {
      const stored = await this.#barrier.stored(path);
      if (stored !== undefined && sameBytes(stored, held.stored)) return held;
    }
    const changes = this.#changes;
    const entry = await this.#barrier.read(path);
    if (entry === undefined) {
      this.#held.delete(path);
      return undefined;
    }
    const read = { stored: entry.stored, value: this.#decode(entry.value, path) };
    if (changes === this.#changes) this.#keep(path, read);
    return read;
  }

  /** Swaps the entry. False when something else than `was` was there. */
  async swap(path: string, was: Uint8Array | undefined, value: Uint8Array): Promise<boolean> {
    return (await this.#changing(path, () => this.#barrier.swap(path, was, value))) !== undefined;
  }

  /** Removes the entry. False when something else than `was` was there. */
  remove(path: string, was: Uint8Array): Promise<boolean> {
    return this.#changing(path, () => this.#barrier.remove(path, was));
  }

  /** What was kept is dropped before and after: nobody goes on with it, whatever comes of the change. */
  async #changing<R>(path: string, change: () => Promise<R>): Promise<R> {
    this.#drop(path);
    try {
      return await change();
    } finally {
      this.#drop(path);
    }
  }

  #drop(path: string): void {
    this.#changes += 1;
    this.#held.delete(path);
  }

  #keep(path: string, held: Held<T>): void {
    if (this.#held.size >= this.#limit) {
      const oldest = this.#held.keys().next();
      if (oldest.done !== true) this.#held.delete(oldest.value);
    }
    this.#held.set(path, held);
  }
}
