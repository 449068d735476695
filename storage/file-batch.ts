import type { Database, Statement } from "bun:sqlite";
import { sumOf } from "./file-format.ts";
import { codeOf } from "./file-refusal.ts";

export type Write =
  | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array<ArrayBuffer> }
  | { readonly kind: "delete"; readonly key: string }
  | {
      readonly kind: "swap";
      readonly key: string;
      readonly was: Uint8Array<ArrayBuffer> | undefined;
      readonly value: Uint8Array<ArrayBuffer> | undefined;
    };

/** What became of a write: it is durable; a swap found another value; there was no room on the disk. */
export type Answer = "done" | "mismatch" | "full";

/** Writes in batches: one batch is one transaction, and so one sync of the disk. */
export class Batches {
  readonly #db: Database;
  readonly #get: Statement<{ value: Uint8Array }, [string]>;
  readonly #put: Statement<unknown, [string, Uint8Array, number]>;
  readonly #delete: Statement<unknown, [string]>;

  constructor(db: Database) {
    this.#db = db;
    this.#get = db.query("SELECT value FROM entry WHERE path = ?1");
    this.#put = db.query(
      "INSERT INTO entry VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value, sum = excluded.sum",
    );
    this.#delete = db.query("DELETE FROM entry WHERE path = ?1");
  }

  /**
   * Runs the writes in their order and commits. When the disk is full the whole batch is rolled back and each write is
   * settled by itself, as the contract of the drivers says. Any other error is thrown: what the store then holds can
   * be told only by a process that opens it anew.
   */
  run(writes: readonly Write[]): Answer[] {
    return (
      this.#transact(() => writes.map((write) => this.#apply(write))) ?? writes.map((write) => this.#settle(write))
    );
  }

  /** undefined when the disk is full: then nothing was written. */
  #transact<Result>(run: () => Result): Result | undefined {
    try {
      this.#db.run("BEGIN IMMEDIATE");
      const result = run();
      this.#db.run("COMMIT");
      return result;
    } catch (error) {
      if (codeOf(error) !== "SQLITE_FULL") throw error;
      // Some errors make SQLite roll back by itself.
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      return undefined;
    }
  }

  #apply(write: Write): Answer {
    if (write.kind === "swap" && !isSame(this.#read(write.key), write.was)) return "mismatch";
    if (write.kind === "delete" || write.value === undefined) this.#delete.run(write.key);
    else this.#put.run(write.key, write.value, sumOf(write.key, write.value));
    return "done";
  }

  #settle(write: Write): Answer {
    const stored = this.#read(write.key);
    if (write.kind === "delete") return stored === undefined ? "done" : "full";
    if (write.value !== undefined && isSame(stored, write.value)) return "done";
    if (write.kind === "put" || write.was === undefined || !isSame(stored, write.was)) return "full";
    return this.#transact(() => this.#apply(write)) ?? "full";
  }

  #read(key: string): Uint8Array | undefined {
    return this.#get.get(key)?.value;
  }
}

function isSame(stored: Uint8Array | undefined, expected: Uint8Array | undefined): boolean {
  if (stored === undefined || expected === undefined) return stored === expected;
  return Buffer.compare(stored, expected) === 0;
}
