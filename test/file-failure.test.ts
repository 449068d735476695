import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { type Driver, Unknown } from "../storage/driver.ts";
import { openFile } from "../storage/file.ts";
import { makeKilledStore } from "./file-killed.ts";
import { fatal, type Folder, refused, run, startChild, temporaryFolder } from "./file-store.ts";

const big = (byte: number) => new Uint8Array(256 * 1024).fill(byte);
const SOURCES = join(import.meta.dir, "../storage");

/** A disk of its own of 2 MiB; undefined where this user may not mount one. */
function smallDisk(): Folder | undefined {
  const folder = temporaryFolder();
  if (run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder.path) !== 0) {
    fs.rmSync(folder.path, { recursive: true });
    return undefined;
  }
  return {
    path: folder.path,
    [Symbol.asyncDispose]: async () => {
      run("umount", "-l", folder.path);
      await folder[Symbol.asyncDispose]();
    },
  };
}

const canMount = await (async () => {
  await using disk = smallDisk();
  return disk !== undefined;
})();
const reason = canMount ? "" : " (skipped: mounting a tmpfs needs root)";
if (!canMount) console.log(`file store on a small disk${reason}`);

/** Takes all the room that is left; gives it back when it is removed. */
function fill(folder: string): string {
  const filler = join(folder, "filler");
  const file = fs.openSync(filler, "w");
  for (let block = 64 * 1024; block >= 512;) {
    try {
      fs.writeSync(file, new Uint8Array(block));
    } catch {
      block /= 2;
    }
  }
  fs.closeSync(file);
  return filler;
}

async function expectFull(folder: string, write: Promise<unknown>): Promise<void> {
  const [outcome] = await Promise.allSettled([write]);
  if (outcome.status === "fulfilled") throw new Error("the write was done");
  expect(outcome.reason).toBeInstanceOf(Unknown);
  expect(outcome.reason).toHaveProperty("message", `the disk that holds ${folder} is full`);
}

test.skipIf(canMount || process.env["CI"] === undefined)("the disk tests run where CI is set", () => {
  throw new Error("mounting a tmpfs failed");
});

describe.skipIf(!canMount)(`file store on a full disk${reason}`, () => {
  async function withFullDisk(use: (driver: Driver, folder: string, filler: string) => Promise<void>): Promise<void> {
    await using disk = smallDisk();
    const folder = join(disk?.path ?? "", "store");
    await using driver = await openFile(folder, { fatal });
    await driver.put("stored", big(1));
    await driver.put("small", new Uint8Array([1]));
    await use(driver, folder, fill(disk?.path ?? ""));
  }

  test("says Unknown, keeps what was acknowledged and goes on when there is room", async () => {
    await withFullDisk(async (driver, folder, filler) => {
      await expectFull(folder, driver.put("a", big(2)));
      await expectFull(folder, driver.put("stored", big(2)));
      expect(await driver.get("a")).toBeUndefined();
      expect(await driver.get("stored")).toEqual(big(1));
      fs.rmSync(filler);
      await driver.put("a", big(2));
      expect(await driver.get("a")).toEqual(big(2));
      expect(await driver.swap("stored", big(1), big(3))).toBe(true);
    });
  });

  test("settles each write of a batch by itself", async () => {
    await withFullDisk(async (driver, folder, filler) => {
      const stuck = driver.put("a", big(2));
      const done = [driver.put("stored", big(1)), driver.delete("absent"), driver.swap("stored", big(1), big(1))];
      const unknown = [
        driver.put("small", new Uint8Array([2])),
        driver.delete("small"),
        driver.swap("stored", big(1), big(2)),
        driver.swap("absent", undefined, big(2)),
        driver.swap("absent", undefined, undefined),
        driver.swap("stored", big(9), big(2)),
        driver.swap("absent", big(1), undefined),
      ];
      for (const write of [stuck, ...unknown]) await expectFull(folder, write);
      expect((await Promise.all(done)).at(-1)).toBe(true);
      expect(await driver.get("stored")).toEqual(big(1));
      expect(await driver.list("")).toEqual(["small", "stored"]);
      fs.rmSync(filler);
    });
  });

  test("tries a swap once more by itself, for which the room may suffice", async () => {
    await withFullDisk(async (driver, folder, filler) => {
      fs.truncateSync(filler, fs.statSync(filler).size - 64 * 1024);
      const tooBig = driver.put("a", big(2));
      const swapped = driver.swap("small", new Uint8Array([1]), new Uint8Array([2]));
      await expectFull(folder, tooBig);
      expect(await swapped).toBe(true);
      expect(await driver.get("small")).toEqual(new Uint8Array([2]));
    });
  });

  test("loses nothing when it is closed and opened again", async () => {
    await using disk = smallDisk();
    const folder = join(disk?.path ?? "", "store");
    let filler: string;
    {
      await using driver = await openFile(folder, { fatal });
      await driver.put("stored", big(1));
      filler = fill(disk?.path ?? "");
      await expectFull(folder, driver.put("a", big(2)));
    }
    fs.rmSync(filler);
    await using driver = await openFile(folder, { fatal });
    expect(await driver.get("stored")).toEqual(big(1));
    expect(await driver.get("a")).toBeUndefined();
  });

  test("is what the refusal of a store says that cannot be opened for it", async () => {
    await using disk = smallDisk();
    const folder = join(disk?.path ?? "", "store");
    await (await openFile(folder, { fatal }))[Symbol.asyncDispose]();
    fill(disk?.path ?? "");
    expect((await refused(folder)).message).toBe(`the disk that holds ${folder} is full`);
  });

  test("refuses to make a store", async () => {
    await using disk = smallDisk();
    const folder = join(disk?.path ?? "", "store");
    fs.mkdirSync(folder);
    const filler = fill(disk?.path ?? "");
    expect((await refused(folder)).message).toContain(folder);
    fs.rmSync(filler);
    await using driver = await openFile(folder, { fatal });
    expect(await driver.list("")).toEqual([]);
  });
});

describe.skipIf(!canMount)(`file store on a read-only disk${reason}`, () => {
  test("is refused when the process that had it open was killed", async () => {
    await using disk = smallDisk();
    const folder = join(disk?.path ?? "", "store");
    await makeKilledStore(folder);
    expect(run("mount", "-o", "remount,ro", disk?.path ?? "")).toBe(0);
    expect((await refused(folder)).message).toStartWith(`cannot write to the store in ${folder} (`);
  });

  test("is refused, whether there is a store or not", async () => {
    await using disk = smallDisk();
    const mounted = disk?.path ?? "";
    await using driver = await openFile(join(mounted, "store"), { fatal });
    await driver[Symbol.asyncDispose]();
    expect(run("mount", "-o", "remount,ro", mounted)).toBe(0);
    for (const name of ["store", "other"]) {
      const error = await refused(join(mounted, name));
      expect(error.message).toMatch(/^cannot write to the store in .* \((EROFS|SQLITE_\w+)\)$/);
      expect(error.hint).toContain("the right to read and write");
    }
  });
});

describe("file store out of reach", () => {
  test("refuses a folder that the user may not write to", async () => {
    await using folder = temporaryFolder();
    const store = join(folder.path, "store");
    fs.chmodSync(folder.path, 0o755);
    fs.mkdirSync(store);
    fs.chmodSync(store, 0o555);
    const through = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    for (const path of [store, join(store, "below")]) {
      await using child = startChild(`await open(${JSON.stringify(path)})`, { through });
      expect(await child.errors).toBe(`StoreError: cannot write to the store in ${path} (EACCES)\n`);
    }
  });

  test.each(["coffer.db", "coffer.lock"])("refuses a store whose %s the user may only read", async (name) => {
    await using folder = temporaryFolder();
    const store = join(folder.path, "store");
    await (await openFile(store, { fatal }))[Symbol.asyncDispose]();
    const isRoot = process.getuid?.() === 0;
    const through = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    if (isRoot) run("chown", "-R", "65534:65534", folder.path);
    fs.chmodSync(join(store, name), 0o400);
    await using child = startChild(`await open(${JSON.stringify(store)})`, { through });
    expect(await child.errors).toBe(`StoreError: cannot write to the store in ${store} (SQLITE_READONLY)\n`);
  });

  test("names a lock that is none", async () => {
    await using folder = temporaryFolder();
    await (await openFile(folder.path, { fatal }))[Symbol.asyncDispose]();
    const lock = join(folder.path, "coffer.lock");
    fs.writeFileSync(lock, "x".repeat(4096));
    const { message, hint } = await refused(folder.path);
    expect([message, hint]).toEqual([`${lock} is not the lock of a store`, "remove it; what is stored is not in it"]);
    fs.rmSync(lock);
    await using _driver = await openFile(folder.path, { fatal });
  });

  test("refuses a path that is a file or leads through one", async () => {
    await using folder = temporaryFolder();
    const file = join(folder.path, "file");
    fs.writeFileSync(file, "text");
    for (const path of [file, join(file, "below")]) {
      expect((await refused(path)).message).toMatch(/is not a folder \((ENOTDIR|EEXIST)\)$/);
    }
    expect(fs.readFileSync(file, "utf8")).toBe("text");
  });
});

describe("file store that fails while it is open", () => {
  const write = `await driver.put("b", new Uint8Array(65536)).finally(() => console.error("answered"));`;

  for (const [title, change] of Object.entries({
    removed: "fs.rmSync(db)",
    replaced: "fs.copyFileSync(db, db + 2); fs.renameSync(db + 2, db)",
    "without its log": 'fs.rmSync(db + "-wal")',
    "without its lock": 'fs.rmSync(db.replace(/db$/, "lock"))',
  })) {
    test(`ends the process when its file is ${title}`, async () => {
      await using folder = temporaryFolder();
      const db = JSON.stringify(join(folder.path, "coffer.db"));
      await using child = startChild(`
        const fs = require("node:fs"), db = ${db};
        const driver = await open(${JSON.stringify(folder.path)});
        await driver.put("a", new Uint8Array([1]));
        ${change};
        ${write}
      `);
      expect(await child.errors).toMatch(/^the store in \S+ failed \(.*(replaced|no such file).*|ENOENT\)\n$/);
      expect(await child.exited).toBe(70);
    });
  }

  test("ends the process at an I/O error", async () => {
    await using folder = temporaryFolder();
    // A limit on the size of files is an error that SQLite does not take for a full disk.
    await using child = startChild(
      `const driver = await open(${JSON.stringify(folder.path)});
      for (let index = 0; ; index++) await driver.put("key" + index, new Uint8Array(65536));`,
      { through: ["sh", "-c", `trap "" XFSZ; ulimit -f 512; exec "$@"`, "sh"] },
    );
    expect(await child.errors).toBe(`the store in ${folder.path} failed (SQLITE_IOERR_WRITE)\n`);
    expect(await child.exited).toBe(70);
  });

  test("ends the process when the thread that writes ends", async () => {
    await using folder = temporaryFolder();
    const sources = join(folder.path, "sources");
    fs.cpSync(SOURCES, sources, { recursive: true });
    const worker = join(sources, "file-worker.ts");
    const text = fs.readFileSync(worker, "utf8");
    const ends = { "process.exit(0)": "it ended", "setImmediate(() => { throw new Error('a bug') })": "error: a bug" };
    for (const [end, cause] of Object.entries(ends)) {
      fs.writeFileSync(worker, text.replace('case "batch":', `case "batch": ${end}; return;`));
      const script = `const driver = await open(${JSON.stringify(join(folder.path, "store"))}); ${write}`;
      await using child = startChild(script, { sources });
      expect(await child.errors).toBe(`the store in ${join(folder.path, "store")} failed (${cause})\n`);
      expect(await child.exited).toBe(70);
    }
  });

  test("is refused when the thread that writes cannot start", async () => {
    await using folder = temporaryFolder();
    const sources = join(folder.path, "sources");
    fs.cpSync(SOURCES, sources, { recursive: true });
    fs.rmSync(join(sources, "file-worker.ts"));
    await using child = startChild(`await open(${JSON.stringify(join(folder.path, "store"))})`, { sources });
    expect(await child.errors).toMatch(/^StoreError: cannot open the store in \S+ \([^]*\)\n$/);
    expect(await child.exited).toBe(1);
  });
});
