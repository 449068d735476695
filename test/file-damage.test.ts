import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { assert, asyncProperty, integer, nat, tuple } from "fast-check";
import * as fs from "node:fs";
import { join } from "node:path";
import { DamagedEntry, type Driver, StoreError } from "../storage/driver.ts";
import { openFile } from "../storage/file.ts";
import { makeKilledStore, makeStore, shorten } from "./file-killed.ts";
import { contents, fatal, refused, temporaryFolder } from "./file-store.ts";

function edit(path: string, change: (db: Database) => void): void {
  const db = new Database(join(path, "coffer.db"));
  change(db);
  db.close();
}

const DAMAGE: Record<string, { make: (path: string) => Promise<void> | void; message: string | RegExp }> = {
  "of a newer format": {
    make: async (path) => {
      await makeStore(path);
      edit(path, (db) => db.run("PRAGMA user_version = 3"));
    },
    message: "has format 3",
  },
  "of a newer format that only the log knows of": {
    make: async (path) => {
      const other = `${path}-other`;
      await makeStore(other);
      const db = new Database(join(other, "coffer.db"));
      db.run("PRAGMA user_version = 3");
      fs.cpSync(other, path, { recursive: true });
      db.close();
      fs.rmSync(other, { recursive: true });
    },
    message: "has format 3",
  },
  "of another application": {
    make: (path) => {
      fs.mkdirSync(path);
      edit(path, (db) => db.run("CREATE TABLE entry(path TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT"));
    },
    message: "belongs to another application",
  },
  "without its table": {
    make: async (path) => {
      await makeStore(path);
      edit(path, (db) => db.run("ALTER TABLE entry RENAME TO entries"));
    },
    message: "does not hold the table of a store",
  },
  "that is a text file": {
    make: (path) => {
      fs.mkdirSync(path);
      fs.writeFileSync(join(path, "coffer.db"), "a text\n".repeat(100));
    },
    message: "is not a coffer store",
  },
  "that is empty": {
    make: async (path) => {
      await makeStore(path);
      fs.truncateSync(join(path, "coffer.db"), 0);
    },
    message: "is empty",
  },
  "that is empty beside a log": {
    make: async (path) => {
      await makeKilledStore(path);
      fs.truncateSync(join(path, "coffer.db"), 0);
    },
    message: "is empty",
  },
  "cut within its header": {
    make: async (path) => {
      await makeStore(path);
      fs.truncateSync(join(path, "coffer.db"), 50);
    },
    message: "is not a coffer store",
  },
  "cut by one byte": {
    make: async (path) => {
      await makeStore(path);
      shorten(join(path, "coffer.db"), 1);
    },
    message: /is truncated: page \d+ of \d+ is missing/,
  },
  "cut in half": {
    make: async (path) => {
      await makeStore(path);
      shorten(join(path, "coffer.db"), 100 * 4096);
    },
    message: /is truncated: page \d+ of \d+ is missing/,
  },
  "cut by a page while its log is long": {
    make: async (path) => {
      await makeKilledStore(path);
      shorten(join(path, "coffer.db"), 4096);
    },
    message: /is truncated: page \d+ of \d+ is missing/,
  },
  "cut by a page that only an earlier round of its log has": {
    make: async (path) => {
      await makeKilledStore(
        path,
        // The pages at the end of the database go into the log behind others and are moved; then the log begins anew.
        `for (let index = 0; index < 100; index++) await driver.put("late", new Uint8Array(4096).fill(index));
        await Promise.all(Array.from({ length: 1000 }, (_, index) => driver.put("more" + index, new Uint8Array(4096))));
        for (let index = 0; index < 3; index++) await driver.put("late", new Uint8Array(4096).fill(index));`,
      );
      shorten(join(path, "coffer.db"), 4096);
    },
    message: /is truncated: page \d+ of \d+ is missing/,
  },
  "that is missing": {
    make: async (path) => {
      await makeStore(path);
      fs.rmSync(join(path, "coffer.db"));
    },
    message: "is missing, but there was a store in this folder",
  },
  "that is missing beside a log": {
    make: async (path) => {
      await makeKilledStore(path);
      fs.rmSync(join(path, "coffer.db"));
      fs.rmSync(join(path, "coffer.lock"));
    },
    message: "coffer.db is missing, but its",
  },
  "without its log": {
    make: async (path) => {
      await makeKilledStore(path);
      fs.rmSync(join(path, "coffer.db-wal"));
    },
    message: "coffer.db-wal is missing, but its index is there",
  },
  "that is a folder": {
    make: (path) => void fs.mkdirSync(join(path, "coffer.db"), { recursive: true }),
    message: "is not a regular file",
  },
  "that is a symbolic link": {
    make: async (path) => {
      await makeStore(path);
      fs.renameSync(join(path, "coffer.db"), join(path, "elsewhere"));
      fs.symlinkSync("elsewhere", join(path, "coffer.db"));
    },
    message: "is not a regular file",
  },
};

describe("file store, refused and left as it is", () => {
  for (const [title, { make, message }] of Object.entries(DAMAGE)) {
    test(`a database ${title}`, async () => {
      await using folder = temporaryFolder();
      const path = join(folder.path, "store");
      await make(path);
      const { "coffer.db-shm": _index, "coffer.db": db, ...others } = contents(path);
      // Twice: the first attempt changes nothing for the second.
      for (const error of [await refused(path), await refused(path)]) {
        expect(error.message).toMatch(message);
        expect(error.message).toContain(path);
        expect(error.hint).not.toBe("");
        const after = contents(path);
        expect([after["coffer.db"]]).toEqual([db]);
        expect(after).toMatchObject(others);
      }
    });
  }
});

describe("a database of which one byte changed", () => {
  /** Small values and one of several pages, in folders and beside them, and the hole that a removed one leaves. */
  async function makeSmallStore(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
    await using driver = await openFile(path, { fatal });
    const entries = new Map<string, Uint8Array>();
    for (let index = 0; index < 24; index += 1) {
      const key = index % 3 === 0 ? `logical/5f2c1e90/${index}/leaf` : `core/key${index}`;
      entries.set(key, crypto.getRandomValues(new Uint8Array(index === 5 ? 9000 : 40 + 7 * index)));
    }
    await Promise.all([...entries].map(([key, value]) => driver.put(key, value)));
    await driver.delete("core/key7");
    entries.delete("core/key7");
    return entries;
  }

  async function keysBelow(driver: Driver, prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for (const child of await driver.list(prefix)) {
      if (child.endsWith("/")) keys.push(...(await keysBelow(driver, prefix + child)));
      else keys.push(prefix + child);
    }
    return keys;
  }

  test("is refused when it is opened, or where it is read; no entry vanishes, and none has another value", async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store");
    const entries = await makeSmallStore(path);
    const db = join(path, "coffer.db");
    const whole = fs.readFileSync(db);
    const seen = { refused: 0, entry: 0, whole: 0 };
    const anywhere = tuple(nat(whole.length - 1), integer({ min: 1, max: 255 }));
    await assert(
      asyncProperty(anywhere, async ([at, change]) => {
        fs.writeFileSync(db, whole.with(at, (whole[at] ?? 0) ^ change));
        const [opening] = await Promise.allSettled([openFile(path, { fatal })]);
        if (opening.status === "rejected") {
          seen.refused += 1;
          expect(opening.reason).toBeInstanceOf(StoreError);
          return expect(opening.reason.message).toContain(path);
        }
        await using driver = opening.value;
        expect(new Set(await keysBelow(driver, ""))).toEqual(new Set(entries.keys()));
        const reads = await Promise.allSettled([...entries.keys()].map(async (key) => driver.get(key)));
        const damaged = reads.filter((read) => read.status === "rejected");
        for (const { reason } of damaged) expect(reason).toBeInstanceOf(DamagedEntry);
        const values = reads.flatMap((read) => (read.status === "fulfilled" ? [read.value] : []));
        expect(values).toEqual([...entries.values()].filter((_, index) => reads[index]?.status === "fulfilled"));
        seen[damaged.length === 0 ? "whole" : "entry"] += 1;
      }),
      { numRuns: 300 },
    );
    // Bytes that hold nothing make up most of such a file.
    expect(Math.min(seen.refused, seen.entry, seen.whole)).toBeGreaterThan(0);
  });
});
