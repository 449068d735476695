import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { makeKilledStore, makeStore, shorten } from "./file-killed.ts";
import { contents, refused, temporaryFolder } from "./file-store.ts";

function edit(path: string, change: (db: Database) => void): void {
  const db = new Database(join(path, "coffer.db"));
  change(db);
  db.close();
}

const DAMAGE: Record<string, { make: (path: string) => Promise<void> | void; message: string | RegExp }> = {
  "of a newer format": {
    make: async (path) => {
      await makeStore(path);
      edit(path, (db) => db.run("PRAGMA user_version = 2"));
    },
    message: "has format 2",
  },
  "of a newer format that only the log knows of": {
    make: async (path) => {
      const other = `${path}-other`;
      await makeStore(other);
      const db = new Database(join(other, "coffer.db"));
      db.run("PRAGMA user_version = 2");
      fs.cpSync(other, path, { recursive: true });
      db.close();
      fs.rmSync(other, { recursive: true });
    },
    message: "has format 2",
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
