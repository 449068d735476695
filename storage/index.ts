import { type Driver, StoreError } from "./driver.ts";
import { openFile } from "./file.ts";
import { openMemory } from "./memory.ts";

export interface StorageOptions {
  /** Ends the process: called when what the store holds can no longer be told without opening it anew. */
  readonly fatal: (error: Error) => never;
}

/** One row for each scheme; the text after `scheme:` is handed on as it stands, nothing in it is decoded. */
const SCHEMES: Readonly<Record<string, (rest: string, options: StorageOptions) => Promise<Driver>>> = {
  file: (rest, options) => openFile(folderOf(rest), options),
  memory: async (rest) => {
    if (rest !== "") throw malformed("memory: takes nothing after the colon");
    return openMemory();
  },
};

const FORMS = "use file:/absolute/folder, file:relative/folder or memory:";

/**
 * Opens the store that a URL names: `file:/var/lib/coffer`, `file:./data`, `file:data`, `file:///var/lib/coffer` or
 * `memory:`. Rejects with {@link StoreError} when the URL is not one of these or the store cannot be opened as it is.
 * Of the URL nothing but its scheme gets into a message, for the rest may hold a password.
 */
export async function openStorage(url: string, options: StorageOptions): Promise<Driver> {
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1];
  if (scheme === undefined) throw malformed("the storage URL has no scheme");
  const open = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  if (open === undefined) throw malformed(`unknown storage scheme "${scheme}"`);
  return open(url.slice(scheme.length + 1), options);
}

function folderOf(rest: string): string {
  if (rest === "") throw malformed("file: names no folder");
  if (rest.includes("\0")) throw malformed("file: names a folder with a NUL in it");
  if (!rest.startsWith("//")) return rest;
  if (!rest.startsWith("///")) throw malformed("file: takes no host");
  return rest.slice(2);
}

function malformed(message: string): StoreError {
  return new StoreError(message, FORMS);
}
