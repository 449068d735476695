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
export const FORMAT = 2;

/**
 * The table, by format. TEXT is compared byte by byte as UTF-8, which is the order that the contract asks for. Format 1
 * had no sums; a store of it gets them when it is opened.
 */
export const SCHEMAS: Readonly<Record<number, string>> = {
  1: "CREATE TABLE entry(path TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
  2: "CREATE TABLE entry(path TEXT PRIMARY KEY, value BLOB NOT NULL, sum INTEGER) STRICT",
};

/**
 * What an entry's `sum` is: CRC-32 of its path in UTF-8 and its value. It tells bytes that changed on the disk, also in
 * entries that nothing authenticates; it is no protection from somebody who changes them on purpose.
 */
export function sumOf(path: string, value: Uint8Array): number {
  return Bun.hash.crc32(value, Bun.hash.crc32(path));
}

/** The largest value in bytes. */
export const MAX_VALUE = 1024 * 1024;
