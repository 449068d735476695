import type { Driver, Page } from "./driver.ts";

const MAX_VALUE = 1024 * 1024;

export interface MemoryOptions {
  /** A map that several drivers share, so that several engines run over one store. */
  readonly store?: Map<string, Uint8Array>;
}

/** A driver that keeps everything in a map: for tests and for `--dev`. What it holds ends with the process. */
export function openMemory({ store }: MemoryOptions = {}): Driver {
  return new MemoryDriver(store ?? new Map<string, Uint8Array>(), store === undefined);
}

class MemoryDriver implements Driver {
  readonly type = "inmem";
  readonly maxValue = MAX_VALUE;
  readonly exclusive: boolean;
  readonly #store: Map<string, Uint8Array>;

  constructor(store: Map<string, Uint8Array>, exclusive: boolean) {
    this.#store = store;
    this.exclusive = exclusive;
  }

  get(key: string): Uint8Array | undefined {
    return this.#store.get(key);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#set(key, value);
  }

  async swap(key: string, was: Uint8Array | undefined, value: Uint8Array | undefined): Promise<boolean> {
    if (!isSame(this.#store.get(key), was)) return false;
    if (value === undefined) this.#store.delete(key);
    else this.#set(key, value);
    return true;
  }

  async delete(key: string): Promise<void> {
    this.#store.delete(key);
  }

  list(prefix: string, { after = "", limit = Infinity }: Page = {}): string[] {
    const children = new Set<string>();
    for (const key of this.#store.keys()) {
      if (!key.startsWith(prefix)) continue;
      const slash = key.indexOf("/", prefix.length);
      const child = slash === -1 ? key.slice(prefix.length) : key.slice(prefix.length, slash + 1);
      if (compareUtf8(child, after) > 0) children.add(child);
    }
    return [...children].sort(compareUtf8).slice(0, limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #set(key: string, value: Uint8Array): void {
    if (value.length > MAX_VALUE) throw new RangeError(`a value of ${value.length} bytes exceeds ${MAX_VALUE}`);
    this.#store.set(key, value);
  }
}

function isSame(stored: Uint8Array | undefined, was: Uint8Array | undefined): boolean {
  if (stored === undefined || was === undefined) return stored === was;
  return stored.length === was.length && stored.every((byte, index) => byte === was[index]);
}

/**
 * Compares in the byte order of UTF-8, which is the order of code points. JavaScript compares UTF-16 code units, which
 * puts the surrogates of U+10000 and above (0xD800 to 0xDFFF) before U+E000 to U+FFFF.
 */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Moves the surrogates behind all other code units and keeps the order otherwise. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
