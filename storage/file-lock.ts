import { Database } from "bun:sqlite";
import { chmodSync, closeSync, lstatSync, openSync } from "node:fs";
import { StoreError } from "./driver.ts";
import type { StorePaths } from "./file-format.ts";
import { codeOf } from "./file-refusal.ts";
import { proveWritable } from "./file-writable.ts";

/**
 * Keeps a second process, and a second driver in this one, out of a store, by a transaction on a side file that stays
 * open as long as the store is. The system drops it with the process, whatever ended that, and it holds across
 * containers. SQLite sees to it that it holds between two connections of one process, too.
 *
 * NOTE: POSIX drops all locks that a process has on a file when the process closes *any* descriptor of it. So nothing
 * here or elsewhere may open `coffer.lock`, or `coffer.db` while SQLite has it, by other means than SQLite.
 */
export class Lock implements Disposable {
  /**
   * Keeps a lock alive until it is given back. The garbage collector closes a database that nobody refers to, and
   * with it goes the lock, while the thread of a driver that was dropped may still write.
   */
  static readonly #held = new Set<Lock>();
  readonly #db: Database;

  private constructor(db: Database) {
    this.#db = db;
    Lock.#held.add(this);
  }

  /** Throws {@link StoreError} when somebody has the store open. */
  static take({ folder, lock }: StorePaths): Lock {
    createAbsent(lock);
    const db = new Database(lock, { readwrite: true });
    try {
      // A connection that may not write would be given a transaction that locks nobody out.
      proveWritable(db, "BEGIN EXCLUSIVE");
      db.run("BEGIN EXCLUSIVE");
      return new Lock(db);
    } catch (error) {
      db.close();
      if (codeOf(error) === "SQLITE_NOTADB") {
        const hint = "remove it; what is stored is not in it";
        throw new StoreError(`${lock} is not the lock of a store`, hint, { cause: error });
      }
      if (!codeOf(error).startsWith("SQLITE_BUSY")) throw error;
      const hint = "stop the server that has it open; two of them cannot share one folder";
      throw new StoreError(`the store in ${folder} is in use`, hint, { cause: error });
    }
  }

  /** Whether a store was made in this folder: then it must not be missing. */
  get hasStore(): boolean {
    return this.#db.query("PRAGMA user_version").values()[0]?.[0] === 1;
  }

  /** Remembers, durably, that there is a store. A process that takes the lock in the gap finds a whole one. */
  recordStore(): void {
    this.#db.run("PRAGMA user_version = 1");
    this.#db.run("COMMIT");
    this.#db.run("BEGIN EXCLUSIVE");
  }

  [Symbol.dispose](): void {
    Lock.#held.delete(this);
    this.#db.close();
  }
}

/** Only a file that was absent is opened and closed here, so that no lock is lost by it. */
function createAbsent(path: string): void {
  try {
    const descriptor = openSync(path, "wx", 0o600);
    chmodSync(path, 0o600);
    closeSync(descriptor);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    // SQLite would follow a symbolic link, and write into the database that it names.
    if (!lstatSync(path).isFile()) throw new StoreError(`${path} is not a regular file`, "move it out of the way");
  }
}
