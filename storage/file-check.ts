import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { StoreError } from "./driver.ts";
import { Bytes, isRegularFile } from "./file-bytes.ts";
import { APPLICATION_ID, FORMAT, SCHEMAS, type StorePaths } from "./file-format.ts";
import { checkLog, pagesInLog } from "./file-log.ts";
import { damaged } from "./file-refusal.ts";

/** SQLite file format, §1.3: the header of the database. */
const DB_HEADER = 100;
const MAGIC = "SQLite format 3\0";
/** SQLite locks bytes here and never writes the page that holds them. */
const LOCK_BYTE = 0x40000000;

/**
 * Looks at the files before SQLite does, which would roll a log back or forward and could take a missing end for
 * zeros, and changes nothing. It costs the same for a store of any size: the log is read whole.
 * Gives false when there is no store and never was one; throws {@link StoreError} when there is one that is not whole.
 *
 * NOTE: no connection of this process may have the store open, see file-lock.ts.
 */
export function checkFiles(paths: StorePaths, hasStore: boolean): boolean {
  if (!isRegularFile(paths.db)) {
    const leftover = [paths.wal, paths.shm, paths.journal].find((path) => existsSync(path));
    if (leftover !== undefined) throw damaged(`${paths.db} is missing, but its ${leftover} is there`);
    if (hasStore) {
      const hint = `bring it back, or remove ${paths.lock} as well to begin with an empty store`;
      throw new StoreError(`${paths.db} is missing, but there was a store in this folder`, hint);
    }
    return false;
  }
  // The index is the first to go at a clean stop.
  if (existsSync(paths.shm) && !isRegularFile(paths.wal))
    throw damaged(`${paths.wal} is missing, but its index is there`);
  const size = checkHeader(paths.db);
  checkLog(paths);
  checkSize(paths, size);
  return true;
}

interface Size {
  /** Bytes. */
  readonly page: number;
  readonly pagesInFile: number;
  /** As the header counts them. */
  readonly pages: number;
}

function checkHeader(db: string): Size {
  using file = new Bytes(db);
  if (file.size === 0) throw damaged(`${db} is empty`);
  const header = file.read(0, DB_HEADER);
  if (header === undefined || !isSqlite(header)) {
    throw new StoreError(`${db} is not a coffer store`, "name another folder, or move the file out of the way");
  }
  checkIds(db, header.getUint32(68), header.getUint32(60));
  // The size is 16 bits wide, and 1 stands for 65536.
  const page = header.getUint16(16) === 1 ? 65536 : header.getUint16(16);
  return { page, pagesInFile: Math.floor(file.size / page), pages: header.getUint32(28) };
}

/**
 * Looks at what SQLite makes of the files, and gives the format. The log may hold a newer header. A page that changed on
 * the disk may lead past entries, which would then seem never to have been written: so SQLite looks at all of them, which
 * takes about a second for each GiB. Over a read-only connection nothing gets from the log into the database.
 */
export function checkContent({ db }: StorePaths): number {
  using store = new Database(db, { readonly: true });
  const pragma = (name: string) => store.query(`PRAGMA ${name}`).values()[0]?.[0];
  const format = checkIds(db, pragma("application_id"), pragma("user_version"));
  const [schema] = store.query("SELECT sql FROM sqlite_schema WHERE name = 'entry'").values();
  if (schema?.[0] !== SCHEMAS[format]) throw damaged(`${db} does not hold the table of a store`);
  const found = pragma("integrity_check(1)");
  if (found !== "ok") throw damaged(`${db} is damaged: ${String(found)}`);
  return format;
}

/** The format. Refuses the files of other applications and of newer versions. */
function checkIds(db: string, applicationId: unknown, format: unknown): number {
  if (applicationId !== APPLICATION_ID) {
    throw new StoreError(
      `${db} belongs to another application`,
      "name another folder, or move the file out of the way",
    );
  }
  if (typeof format === "number" && Object.hasOwn(SCHEMAS, format)) return format;
  const hint = `this coffer reads formats up to ${FORMAT}; run the version that wrote the store, or a newer one`;
  throw new StoreError(`the store in ${db} has format ${String(format)}`, hint);
}

/**
 * Every page that the header counts must be in the file or in the log, which a checkpoint that was cut short may have
 * left to be moved once more. SQLite would fill a missing page with zeros. (secure_delete has every page written that
 * a transaction allocates, the ones it frees again included.)
 */
function checkSize({ db, wal }: StorePaths, { page, pagesInFile, pages }: Size): void {
  const log = pagesInLog(wal, page);
  for (let number = pagesInFile + 1; number <= pages; number++) {
    if (log.has(number) || number === LOCK_BYTE / page + 1) continue;
    throw damaged(`${db} is truncated: page ${number} of ${pages} is missing`);
  }
}

function isSqlite(header: DataView): boolean {
  return new TextDecoder("latin1").decode(new Uint8Array(header.buffer, 0, MAGIC.length)) === MAGIC;
}
