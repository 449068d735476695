import type { Database } from "bun:sqlite";
import { codeOf } from "./file-refusal.ts";

/**
 * SQLite opens what it may only read all the same, and says so at the first write: so one is begun, with `begin`, and
 * rolled back. Where the disk is full, what is stored can be read. Throws SQLite's error.
 */
export function proveWritable(db: Database, begin: "BEGIN IMMEDIATE" | "BEGIN EXCLUSIVE"): void {
  db.run(begin);
  try {
    const [version] = db.query("PRAGMA user_version").values()[0] ?? [];
    db.run(`PRAGMA user_version = ${Number(version)}`);
  } catch (error) {
    if (codeOf(error) !== "SQLITE_FULL") throw error;
  }
  // Some errors make SQLite roll back by itself.
  if (db.inTransaction) db.run("ROLLBACK");
}
