import { StoreError } from "./driver.ts";

const BACKUP = "restore the folder from a backup; coffer.db, coffer.db-wal and coffer.db-shm belong together";

/** A store that is not what was last written: it is refused as it is, never repaired and never begun anew. */
export function damaged(message: string, options?: ErrorOptions): StoreError {
  return new StoreError(message, BACKUP, options);
}

/** Says what an error of the file system or of SQLite means for somebody who opens the store in `folder`. */
export function refusal(folder: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  const options = { cause: error };
  if (/^(EACCES|EPERM|EROFS|SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_PERM)/.test(code)) {
    const hint = "give the user that runs coffer the right to read and write the folder and its files, or name another";
    return new StoreError(`cannot write to the store in ${folder} (${code})`, hint, options);
  }
  if (/^(ENOSPC|EDQUOT|SQLITE_FULL|SQLITE_IOERR_SHMSIZE)/.test(code))
    return new StoreError(fullDisk(folder), "make room on it", options);
  if (/^(ENOTDIR|EEXIST)/.test(code)) {
    return new StoreError(`${folder} is not a folder (${code})`, "name a folder, which may be absent", options);
  }
  if (/^(SQLITE_CORRUPT|SQLITE_NOTADB)/.test(code))
    return damaged(`the store in ${folder} is damaged (${code})`, options);
  return new StoreError(`cannot open the store in ${folder} (${code})`, "see whether the disk is in order", options);
}

export function fullDisk(folder: string): string {
  return `the disk that holds ${folder} is full`;
}

/** `ENOSPC`, `SQLITE_FULL`, …; for an error without a code its message. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
