import { Database } from "bun:sqlite";
import { FORMAT, type StorePaths, sumOf } from "./file-format.ts";

/** Gives the entries of a store of format 1 their sums, in one transaction. */
export function upgrade({ db }: StorePaths): void {
  const store = new Database(db, { readwrite: true });
  try {
    store.run("PRAGMA synchronous = FULL");
    store.run("BEGIN IMMEDIATE");
    store.run("ALTER TABLE entry ADD COLUMN sum INTEGER");
    const value = store.query<{ value: Uint8Array }, [string]>("SELECT value FROM entry WHERE path = ?1");
    const setSum = store.query("UPDATE entry SET sum = ?2 WHERE path = ?1");
    for (const [path] of store.query<{ path: string }, []>("SELECT path FROM entry").values()) {
      const key = String(path);
      setSum.run(key, sumOf(key, value.get(key)?.value ?? new Uint8Array()));
    }
    store.run(`PRAGMA user_version = ${FORMAT}`);
    store.run("COMMIT");
  } finally {
    store.close();
  }
}
