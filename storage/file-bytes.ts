import { closeSync, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { damaged } from "./file-refusal.ts";

/** False when there is nothing; what is there and is no regular file is refused, a symbolic link included. */
export function isRegularFile(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (!stat.isFile()) throw damaged(`${path} is not a regular file`);
  return true;
}

/** A file that is read piece by piece. Its `size` is in bytes. */
export class Bytes implements Disposable {
  readonly size: number;
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, "r");
    this.size = fstatSync(this.#descriptor).size;
  }

  /** undefined where the file ends before. */
  read(at: number, length: number): DataView | undefined {
    const bytes = new Uint8Array(length);
    return readSync(this.#descriptor, bytes, 0, length, at) === length ? new DataView(bytes.buffer) : undefined;
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}
