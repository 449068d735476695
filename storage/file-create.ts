import { Database } from "bun:sqlite";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { APPLICATION_ID, FORMAT, SCHEMAS, type StorePaths } from "./file-format.ts";
import { codeOf } from "./file-refusal.ts";

/**
 * Makes the folder of a store when it is absent, and the folders above it, all with mode 0700 whatever the umask; an
 * empty one is taken from everybody but its owner, and one that holds something is left alone. Gives its real absolute
 * path: a change of the working folder or of a symbolic link does not move an open store.
 */
export function openFolder(path: string): string {
  const folder = makeFolder(path);
  const { mode, uid } = statSync(folder);
  // Somebody who may write to a folder of another owner cannot change its mode, and need not.
  const isWide = (mode & 0o077) !== 0 && uid === process.geteuid?.();
  if (isWide && readdirSync(folder).length === 0) chmodSync(folder, mode & 0o700);
  return folder;
}

function makeFolder(path: string): string {
  const folder = resolve(path);
  if (!existsSync(folder)) {
    const parent = makeFolder(dirname(folder));
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(folder, 0o700);
    syncFolder(parent);
  }
  return realpathSync(folder);
}

/**
 * Makes an empty store. It gets its name only when it is whole and on the disk, so a process that is killed meanwhile
 * leaves no `coffer.db`, and one that lies there unfinished or empty is damage. The caller holds the lock.
 */
export function createStore({ folder, db, fresh }: StorePaths): void {
  for (const leftover of [fresh, `${fresh}-journal`, `${fresh}-wal`, `${fresh}-shm`]) rmSync(leftover, { force: true });
  closeSync(openSync(fresh, "wx", 0o600));
  chmodSync(fresh, 0o600);
  const made = new Database(fresh, { readwrite: true });
  try {
    // Until it has its name nobody looks for it: it is synced once, when it is whole.
    made.run("PRAGMA synchronous = OFF");
    made.run("BEGIN");
    made.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    made.run(`PRAGMA user_version = ${FORMAT}`);
    made.run(SCHEMAS[FORMAT] ?? "");
    made.run("COMMIT");
    made.run("PRAGMA journal_mode = WAL");
  } finally {
    made.close();
  }
  syncFile(fresh);
  renameSync(fresh, db);
  syncFolder(folder);
}

/** Takes the files of a store, which a restored backup may have left open to others, from everybody but their owner. */
export function restrictFiles({ db, wal, shm, lock }: StorePaths): void {
  for (const path of [db, wal, shm, lock].filter((file) => existsSync(file))) {
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  }
}

/** Makes the names in a folder durable: of files that came, went or were renamed. */
export function syncFolder(folder: string): void {
  syncFile(folder);
}

/** The same at the stop, where a folder that is gone, with its disk perhaps, has no names to keep. */
export function syncFolderIfThere(folder: string): void {
  try {
    syncFolder(folder);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
