/** Bytes that are kept, keys left aside, and of one value. */
const ALL = 2 * 1024 * 1024;
const LARGEST = 4096;

/**
 * What was read last, as it is stored: each value that SQLite hands out is a new piece of memory, which costs more than
 * finding it. Nobody else writes to the store, so what was read stays true until it is written here.
 */
export class FileCache {
  readonly #values = new Map<string, Uint8Array>();
  #bytes = 0;

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  /** Keeps a value that was just read; the oldest go. */
  keep(key: string, value: Uint8Array): void {
    if (value.length > LARGEST) return;
    this.#values.set(key, value);
    this.#bytes += value.length;
    for (const oldest of this.#values.keys()) {
      if (this.#bytes <= ALL) return;
      this.drop(oldest);
    }
  }

  drop(key: string): void {
    this.#bytes -= this.#values.get(key)?.length ?? 0;
    this.#values.delete(key);
  }
}
