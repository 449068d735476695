import type { Driver, Page } from "./driver.ts";
import type { Write } from "./file-batch.ts";
import { FileCache } from "./file-cache.ts";
import { checkContent, checkFiles } from "./file-check.ts";
import { createStore, openFolder, restrictFiles, syncFolderIfThere } from "./file-create.ts";
import { FORMAT, MAX_VALUE, storePaths } from "./file-format.ts";
import { Lock } from "./file-lock.ts";
import { Reader } from "./file-reader.ts";
import { refusal } from "./file-refusal.ts";
import { upgrade } from "./file-upgrade.ts";
import { Writer } from "./file-writer.ts";

export interface FileOptions {
  /** Ends the process: called when what the store holds can no longer be told without opening it anew. */
  readonly fatal: (error: Error) => never;
}

/**
 * Opens the store in a folder, which is made when it is absent. Rejects with `StoreError` when the store is in use,
 * damaged, of a newer format or out of reach; it is then as it was.
 */
export async function openFile(path: string, { fatal }: FileOptions): Promise<Driver> {
  let folder = path;
  await using opened = new AsyncDisposableStack();
  try {
    folder = openFolder(path);
    const paths = storePaths(folder);
    const lock = opened.use(Lock.take(paths));
    if (!checkFiles(paths, lock.hasStore)) createStore(paths);
    if (checkContent(paths) < FORMAT) upgrade(paths);
    if (!lock.hasStore) lock.recordStore();
    restrictFiles(paths);
    const writer = await Writer.open(folder, fatal);
    // A log that is gone while its index came back after a power failure would look like damage.
    opened.defer(() => syncFolderIfThere(folder));
    opened.use(writer);
    // Closed before the writer: only the last connection removes the log, and a read-only one does not.
    const reader = opened.use(new Reader(paths));
    return new FileDriver(folder, reader, writer, opened.move());
  } catch (error) {
    throw refusal(folder, error);
  }
}

class FileDriver implements Driver {
  readonly type = "file";
  readonly maxValue = MAX_VALUE;
  readonly exclusive = true;
  readonly #folder: string;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #resources: AsyncDisposableStack;
  readonly #cache = new FileCache();
  /** Writes without an answer. */
  #writing = 0;
  #closing: Promise<void> | undefined;

  constructor(folder: string, reader: Reader, writer: Writer, resources: AsyncDisposableStack) {
    this.#folder = folder;
    this.#reader = reader;
    this.#writer = writer;
    this.#resources = resources;
  }

  get(key: string): Uint8Array | undefined {
    this.#checkOpen();
    const kept = this.#cache.get(key);
    if (kept !== undefined) return kept;
    const value = this.#reading().get(key);
    if (value !== undefined && this.#writing === 0) this.#cache.keep(key, value);
    return value;
  }

  list(prefix: string, page: Page = {}): string[] {
    this.#checkOpen();
    return this.#reading().list(prefix, page);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#write({ kind: "put", key, value: copyOf(value) });
  }

  async swap(key: string, was: Uint8Array | undefined, value: Uint8Array | undefined): Promise<boolean> {
    return this.#write({
      kind: "swap",
      key,
      was: was === undefined ? undefined : new Uint8Array(was),
      value: value === undefined ? undefined : copyOf(value),
    });
  }

  async delete(key: string): Promise<void> {
    await this.#write({ kind: "delete", key });
  }

  /** Where nobody writes, reads share a transaction. */
  #reading(): Reader {
    if (this.#writing === 0) this.#reader.hold();
    return this.#reader;
  }

  /** Nobody holds on to the store as it was from before the write until after its answer. */
  async #write(write: Write): Promise<boolean> {
    this.#checkOpen();
    this.#reader.release();
    // Until the answer nobody can tell which value is there: none is kept meanwhile.
    this.#cache.drop(write.key);
    this.#writing += 1;
    try {
      return await this.#writer.write(write);
    } finally {
      this.#writing -= 1;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#resources.disposeAsync();
    return this.#closing;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new Error(`the store in ${this.#folder} is closed`);
  }
}

/** Not `value.slice()`: on a Buffer that shares the memory with the caller. */
function copyOf(value: Uint8Array): Uint8Array<ArrayBuffer> {
  if (value.length > MAX_VALUE) throw new RangeError(`a value of ${value.length} bytes exceeds ${MAX_VALUE}`);
  return new Uint8Array(value);
}
