/** Bytes that are kept, and of one entry: its key, its value, and what the map takes for it. */
const ALL = 2 * 1024 * 1024;
const LARGEST = 4096;
const OVERHEAD = 100;

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
    const size = sizeOf(key, value);
    if (size > LARGEST) return;
    this.#values.set(key, value);
    this.#bytes += size;
    for (const oldest of this.#values.keys()) {
      if (this.#bytes <= ALL) return;
      this.drop(oldest);
    }
  }

  drop(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#bytes -= sizeOf(key, value);
    this.#values.delete(key);
  }
}

function sizeOf(key: string, value: Uint8Array): number {
  return key.length + value.length + OVERHEAD;
}
