import { join } from "node:path";

/*
 * What lies in the folder of a file store:
 *
 *   coffer.db        SQLite, one table; the two ids below are in its header
 *   coffer.db-wal    SQLite's log: acknowledged writes that are not in coffer.db yet. Gone after a clean stop
 *   coffer.db-shm    SQLite's index of that log. Gone after a clean stop
 *   coffer.lock      held for the life of the process that has the store open; says whether a store was made here
 *   coffer.db.new    a store that is being made; left behind by a process that was killed meanwhile
 */

export interface StorePaths {
  readonly folder: string;
  readonly db: string;
  readonly wal: string;
  readonly shm: string;
  readonly journal: string;
  readonly lock: string;
  readonly fresh: string;
}

export function storePaths(folder: string): StorePaths {
  const db = join(folder, "coffer.db");
  return {
    folder,
    db,
    wal: `${db}-wal`,
    shm: `${db}-shm`,
    journal: `${db}-journal`,
    lock: join(folder, "coffer.lock"),
    fresh: `${db}.new`,
  };
}

/** "Cofr": tells our files from those of other applications that use SQLite. */
export const APPLICATION_ID = 0x436f6672;

/** The version of the format, in SQLite's `user_version`. A higher one was written by a newer Coffer. */
export const FORMAT = 1;

/** TEXT is compared byte by byte as UTF-8, which is the order that the contract asks for. */
export const SCHEMA = "CREATE TABLE entry(path TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT";

export const SELECT_VALUE = "SELECT value FROM entry WHERE path = ?1";

/** The largest value in bytes. */
export const MAX_VALUE = 1024 * 1024;
