import { Database, type Statement } from "bun:sqlite";
import { DamagedEntry, type Page } from "./driver.ts";
import { type StorePaths, sumOf } from "./file-format.ts";
import { codeOf, damaged } from "./file-refusal.ts";

const FIRST_ROWS = 16;
const MAX_ROWS = 512;

/**
 * Reads on the calling thread, over a read-only connection of its own: three times as fast as asking the thread that
 * writes. It sees a transaction once that is durable, for SQLite shows it to others only after it has synced the log.
 * What cannot be read because the file is damaged, or its disk is, throws `StoreError`; an entry that is not what was
 * written throws `DamagedEntry`.
 *
 * Each read by itself locks the log and unlocks it, which is most of what it costs. So while nothing is being written
 * they share one transaction: {@link hold} begins it, {@link release} ends it.
 */
export class Reader implements Disposable {
  readonly #folder: string;
  readonly #db: Database;
  readonly #value: Statement<{ value: Uint8Array; sum: number | null }, [string]>;
  readonly #paths: Statement<unknown, [from: string, limit: number]>;
  readonly #pathsBelow: Statement<unknown, [from: string, limit: number, end: string]>;
  readonly #begin: Statement<unknown, []>;
  /** There is nothing to commit, and after an error there would be nothing that can be. */
  readonly #end: Statement<unknown, []>;

  constructor({ folder, db }: StorePaths) {
    this.#folder = folder;
    this.#db = new Database(db, { readonly: true, strict: true });
    this.#db.run("PRAGMA busy_timeout = 1000");
    this.#value = this.#db.query("SELECT value, sum FROM entry WHERE path = ?1");
    const paths = "SELECT path FROM entry WHERE path >= ?1";
    this.#paths = this.#db.query(`${paths} ORDER BY path LIMIT ?2`);
    this.#pathsBelow = this.#db.query(`${paths} AND path < ?3 ORDER BY path LIMIT ?2`);
    this.#begin = this.#db.query("BEGIN");
    this.#end = this.#db.query("ROLLBACK");
  }

  /** From here on every read sees the store as the next one finds it. Nothing may be written before {@link release}. */
  hold(): void {
    if (!this.#db.inTransaction) this.#begin.run();
  }

  /** The next read sees what has been written meanwhile. */
  release(): void {
    if (this.#db.inTransaction) this.#end.run();
  }

  get(key: string): Uint8Array | undefined {
    const row = this.#read(() => this.#value.get(key));
    if (row === null) return undefined;
    if (row.sum !== sumOf(key, row.value)) throw new DamagedEntry(key);
    return row.value;
  }

  /**
   * Walks the index over the paths. Behind a folder it goes on at the folder's end, so that what lies below it is not
   * read: as many rows are asked for as the last step had use for, twice.
   */
  list(prefix: string, { after = "", limit = Infinity }: Page): string[] {
    const children: string[] = [];
    let last = after;
    for (let rows = FIRST_ROWS; children.length < limit;) {
      const paths = this.#rows(prefix, last, rows);
      const before = children.length;
      for (const path of paths) {
        const slash = path.indexOf("/", prefix.length);
        const child = slash === -1 ? path.slice(prefix.length) : path.slice(prefix.length, slash + 1);
        if (child === last) continue;
        if (children.length === limit) return children;
        children.push(child);
        last = child;
      }
      if (paths.length < rows) return children;
      rows = Math.min(2 * (children.length - before), MAX_ROWS);
    }
    return children;
  }

  /** The first paths in the folder `prefix` that lie behind its child `last`. */
  #rows(prefix: string, last: string, limit: number): string[] {
    const from = prefix + behind(last);
    const rows = this.#read(() =>
      prefix === ""
        ? this.#paths.values(from, limit)
        : this.#pathsBelow.values(from, limit, `${prefix.slice(0, -1)}${BEHIND_SLASH}`),
    );
    return rows.map(([path]) => String(path));
  }

  #read<T>(query: () => T): T {
    try {
      return query();
    } catch (error) {
      // What has failed is tried anew by the next read.
      this.release();
      if (!(error instanceof Error) || !/^SQLITE_(CORRUPT|NOTADB|IOERR)/.test(codeOf(error))) throw error;
      throw damaged(`the store in ${this.#folder} is damaged: ${error.message}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

/** The character whose byte follows that of `/`: `a0` is the first path behind everything in the folder `a/`. */
const BEHIND_SLASH = "0";

/** The first string, in byte order, behind a leaf or behind everything in a folder. */
function behind(child: string): string {
  const slash = child.indexOf("/");
  return slash === -1 ? `${child}\0` : `${child.slice(0, slash)}${BEHIND_SLASH}`;
}
