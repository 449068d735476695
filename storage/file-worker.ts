/*
 * The thread that writes to a file store, so that no request waits for another one's sync of the disk. It is an entry
 * point of its own in the executable. It takes one request after the other and answers each with one reply; an error
 * that is not a full disk is its last word.
 */
import { Database } from "bun:sqlite";
import { statSync } from "node:fs";
import { type Answer, Batches, type Write } from "./file-batch.ts";
import { storePaths } from "./file-format.ts";
import { codeOf } from "./file-refusal.ts";
import { proveWritable } from "./file-writable.ts";

export type Request =
  | { readonly kind: "open"; readonly folder: string }
  | { readonly kind: "batch"; readonly writes: readonly Write[] }
  | { readonly kind: "close" };

export type Reply =
  | { readonly kind: "opened" }
  | { readonly kind: "answers"; readonly answers: readonly Answer[] }
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly code: string };

/** Pages of 4 KiB in the log after which they are moved into the database. */
const CHECKPOINT_AFTER = 1000;
const LONG_LOG = 4 * CHECKPOINT_AFTER;

/** How long to wait, in ms, for another program that has the store open. */
const BUSY_TIMEOUT = 5000;

class Connection {
  readonly #db: Database;
  readonly #batches: Batches;
  readonly #isInPlace: () => boolean;
  /** The length of the log, in pages, at the last checkpoint. */
  #triedAt = 0;

  constructor(folder: string) {
    const { db, wal, lock } = storePaths(folder);
    this.#db = new Database(db, { readwrite: true, strict: true });
    this.#db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    if (this.#db.query("PRAGMA journal_mode = WAL").values()[0]?.[0] !== "wal") throw new Error("no write-ahead log");
    this.#db.run("PRAGMA synchronous = FULL");
    this.#db.run("PRAGMA secure_delete = ON");
    // SQLite's own checkpoint drops errors: after a failed sync it would try again, succeed and discard the log,
    // while the system may have discarded the pages.
    this.#db.run("PRAGMA wal_autocheckpoint = 0");
    this.#db.run(`PRAGMA journal_size_limit = ${LONG_LOG * 4096}`);
    this.#batches = new Batches(this.#db);
    // This makes the log, too.
    proveWritable(this.#db, "BEGIN IMMEDIATE");
    const files = [db, wal, lock];
    const before = files.map((file) => statSync(file));
    this.#isInPlace = () =>
      files.every((file, at) => {
        const stat = statSync(file, { throwIfNoEntry: false });
        return stat !== undefined && stat.ino === before[at]?.ino && stat.dev === before[at].dev;
      });
  }

  run(writes: readonly Write[]): Answer[] {
    const answers = this.#batches.run(writes);
    // Files that were removed or replaced under a running server take writes that nobody will find again.
    if (!this.#isInPlace()) throw new Error("the files of the store were replaced while it was open");
    return answers;
  }

  /**
   * Keeps the log short: what it holds is moved into the database, and the next write begins it anew unless somebody
   * reads from it at that moment. So a log that is long nevertheless is emptied of its readers, for a moment.
   */
  shortenLog(): void {
    const [, pages = 0, moved = 0] = this.#db.query("PRAGMA wal_checkpoint(NOOP)").values()[0]?.map(Number) ?? [];
    if (pages < this.#triedAt) this.#triedAt = 0;
    if (pages - Math.max(moved, this.#triedAt) <= CHECKPOINT_AFTER) return;
    this.#triedAt = pages;
    if (pages <= LONG_LOG) return this.#checkpoint("PASSIVE");
    this.#db.run("PRAGMA busy_timeout = 100");
    this.#checkpoint("RESTART");
    this.#db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  }

  close(): void {
    this.#checkpoint("TRUNCATE");
    this.#db.close(true);
  }

  /** On a full disk the log stays as it is and loses nothing. */
  #checkpoint(mode: "PASSIVE" | "RESTART" | "TRUNCATE"): void {
    try {
      this.#db.run(`PRAGMA wal_checkpoint(${mode})`);
    } catch (error) {
      if (codeOf(error) !== "SQLITE_FULL") throw error;
    }
  }
}

declare const self: Worker;

let connection: Connection | undefined;

function answer(request: Request): void {
  switch (request.kind) {
    case "open":
      connection = new Connection(request.folder);
      return reply({ kind: "opened" });
    case "batch":
      if (connection === undefined) throw new Error("a batch came before the store was open");
      reply({ kind: "answers", answers: connection.run(request.writes) });
      return connection.shortenLog();
    case "close":
      connection?.close();
      return reply({ kind: "closed" });
  }
}

function reply(message: Reply): void {
  // Nothing is handed over.
  self.postMessage(message, []);
}

self.addEventListener("message", ({ data }: MessageEvent<Request>) => {
  try {
    answer(data);
  } catch (error) {
    reply({ kind: "failed", code: codeOf(error) });
  }
});
