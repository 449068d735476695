import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { StoreError } from "../storage/driver.ts";
import { openFile } from "../storage/file.ts";
import { flip, LATE, makeKilledStore, makeStore, shorten } from "./file-killed.ts";
import { contents, fatal, refused, startChild, temporaryFolder } from "./file-store.ts";

const FRAME = 24 + 4096;
/** What becomes of the log of a store that a process left behind which was killed; `frames` are all in the index. */
const LOG_DAMAGE: Record<string, { change: (wal: string, frames: number) => void; message: RegExp }> = {
  "cut to nothing": { change: (wal) => fs.truncateSync(wal, 0), message: /is truncated: its header is missing$/ },
  "cut within its header": {
    change: (wal) => fs.truncateSync(wal, 31),
    message: /is truncated: its header is missing$/,
  },
  "cut to its header": {
    change: (wal) => fs.truncateSync(wal, 32),
    message: /is truncated: frame 1 of \d+ is missing$/,
  },
  "cut in half": {
    change: (wal) => fs.truncateSync(wal, fs.statSync(wal).size / 2),
    message: /is truncated: frame \d+ of \d+ is missing$/,
  },
  "cut by a byte": { change: (wal) => shorten(wal, 1), message: /is truncated: frame (\d+) of \1 is missing$/ },
  ...Object.fromEntries(
    Object.entries({ magic: 3, "page size": 10, salts: 16, checksum: 31 }).map(([field, at]) => [
      `with a bit flipped in the ${field} of its header`,
      { change: (wal: string) => flip(wal, at), message: /is damaged: its header is not what was written$/ },
    ]),
  ),
  "with a bit flipped in an early page": {
    change: (wal) => flip(wal, 32 + FRAME + 2000),
    message: /is damaged: frame 2 of \d+ is not what was written$/,
  },
  "with a bit flipped in the salts of a frame": {
    change: (wal) => flip(wal, 32 + FRAME + 8),
    message: /is damaged: frame 2 of \d+ is not what was written$/,
  },
  "with a bit flipped in its last page": {
    change: (wal, frames) => flip(wal, 32 + frames * FRAME - 1),
    message: /is damaged: frame (\d+) of \1 is not what was written$/,
  },
};

describe("file store whose log is not what was acknowledged", () => {
  for (const [title, { change, message }] of Object.entries(LOG_DAMAGE)) {
    test(`is refused and left as it is with a log ${title}`, async () => {
      await using folder = temporaryFolder();
      await makeKilledStore(folder.path);
      const wal = join(folder.path, "coffer.db-wal");
      const { size } = fs.statSync(wal);
      change(wal, (size - 32) / FRAME);
      const before = contents(folder.path);
      for (const error of [await refused(folder.path), await refused(folder.path)]) {
        expect(error.message).toStartWith(`${wal} is `);
        expect(error.message).toMatch(message);
        expect(error.hint).toContain("backup");
        expect(contents(folder.path)).toEqual(before);
      }
    });
  }

  test("is refused when it was killed before its first checkpoint and would look new", async () => {
    await using folder = temporaryFolder();
    await using child = startChild(`
      const driver = await open(${JSON.stringify(folder.path)});
      ${LATE}
      console.log("written");
    `);
    await child.lines.next();
    child.kill();
    await child.exited;
    fs.truncateSync(join(folder.path, "coffer.db-wal"), 0);
    expect((await refused(folder.path)).message).toEndWith("coffer.db-wal is truncated: its header is missing");
  });

  test("opens with everything when nothing was changed", async () => {
    await using folder = temporaryFolder();
    await makeKilledStore(folder.path);
    await using driver = await openFile(folder.path, { fatal });
    expect(await driver.list("")).toHaveLength(220);
    for (let index = 0; index < 20; index++) {
      expect(await driver.get(`late${index}`)).toEqual(new Uint8Array(4096).fill(index));
    }
  });

  test("opens when its log was begun anew and its index is older, as after a power failure", async () => {
    await using folder = temporaryFolder();
    const other = temporaryFolder();
    await makeKilledStore(folder.path);
    await makeKilledStore(other.path, LATE + LATE.replace("late", "later"));
    // Salts are drawn at random: to this log the other's index, of more frames, is one of an earlier round.
    fs.copyFileSync(join(other.path, "coffer.db-shm"), join(folder.path, "coffer.db-shm"));
    await other[Symbol.asyncDispose]();
    await using driver = await openFile(folder.path, { fatal });
    expect(await driver.list("")).toHaveLength(220);
  });

  test("opens with what its log has when SQLite would not believe its index", async () => {
    await using folder = temporaryFolder();
    await makeKilledStore(folder.path);
    shorten(join(folder.path, "coffer.db-wal"), 1);
    // One copy of the two, the one that is written first: its writer ended in between.
    flip(join(folder.path, "coffer.db-shm"), 48 + 16);
    await using driver = await openFile(folder.path, { fatal });
    expect(await driver.list("")).toHaveLength(219);
  });
});

/** SQLite file format, §1.6: the first byte of such a page. */
const TABLE_LEAF = 13;

test("a page that is damaged while the store is open is a StoreError when it is read, and the others are there", async () => {
  await using folder = temporaryFolder();
  await makeStore(folder.path);
  await using driver = await openFile(folder.path, { fatal });
  const db = join(folder.path, "coffer.db");
  const bytes = fs.readFileSync(db);
  const starts = Array.from({ length: bytes.length / 4096 }, (_, page) => page * 4096);
  const leaf = starts.findLast((at) => bytes[at] === TABLE_LEAF);
  if (leaf === undefined) throw new Error("the database has no leaf");
  flip(db, leaf);
  const reads = [
    ...Array.from({ length: 200 }, async (_, index) => driver.get(`key${index}`)),
    Promise.try(() => driver.list("")),
  ];
  const failed = (await Promise.allSettled(reads)).filter((outcome) => outcome.status === "rejected");
  expect(failed.length).toBeWithin(1, 201);
  for (const { reason } of failed) {
    expect(reason).toBeInstanceOf(StoreError);
    expect(reason.message).toBe(`the store in ${folder.path} is damaged: database disk image is malformed`);
    expect(reason.cause).toHaveProperty("code", expect.stringMatching(/^SQLITE_CORRUPT/));
  }
});
