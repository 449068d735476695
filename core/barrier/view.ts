/**
 * A view: the slice of the barrier below one prefix, which is all that a mount sees. Its paths are relative, and none
 * can name an entry outside of it.
 */
import type { Page } from "../../storage/driver.ts";
import { invalid } from "../errors.ts";
import type { Soon } from "../soon.ts";
import type { Barrier, Entry } from "./barrier.ts";

export interface View {
  /** At once where it is at hand. */
  get(path: string): Soon<Uint8Array | undefined>;
  read(path: string): Promise<Entry | undefined>;
  put(path: string, value: Uint8Array): Promise<void>;
  /** The new stored bytes, or undefined when the entry was no longer `was`. */
  swap(path: string, was: Uint8Array | undefined, value: Uint8Array): Promise<Uint8Array | undefined>;
  delete(path: string): Promise<void>;
  /** The direct children of `folder` ("" or ending in "/"), in byte order; folders end in "/". At once where at hand. */
  list(folder: string, page?: Page): Soon<string[]>;
}

/** The view of `barrier` below `prefix`, which ends in "/". */
export function openView(barrier: Barrier, prefix: string): View {
  const at = (path: string) => prefix + entryPath(path);
  return {
    get: (path) => barrier.get(at(path)),
    read: (path) => barrier.read(at(path)),
    put: (path, value) => barrier.put(at(path), value),
    swap: (path, was, value) => barrier.swap(at(path), was, value),
    delete: (path) => barrier.delete(at(path)),
    list: (folder, page) => barrier.list(prefix + (folder === "" ? "" : `${entryPath(folder.slice(0, -1))}/`), page),
  };
}

/** Removes every entry below `prefix`, which ends in "/". */
export async function deleteBelow(barrier: Barrier, prefix: string): Promise<void> {
  for (;;) {
    const children = await barrier.list(prefix, { limit: 1000 });
    if (children.length === 0) return;
    for (const child of children) {
      if (child.endsWith("/")) await deleteBelow(barrier, prefix + child);
      else await barrier.delete(prefix + child);
    }
  }
}

/** The pipeline has refused such paths already; a plugin may build paths of its own, so the view does not rely on it. */
function entryPath(path: string): string {
  if (!path.isWellFormed() || UNUSUAL_SEGMENT.test(path)) throw invalid("relative paths not supported");
  return path;
}

/** Empty, `.` or `..`. */
const UNUSUAL_SEGMENT = /(?:^|\/)\.{0,2}(?:\/|$)/;
