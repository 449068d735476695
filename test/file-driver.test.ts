import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, statSync, symlinkSync, watch, writeFileSync, chmodSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../storage/file.ts";
import { contents, fatal, openStore, refused, startChild, temporaryFolder } from "./file-store.ts";

const one = new Uint8Array([1]);

describe("file store, one process at a time", () => {
  test("refuses a second process and lets it in after the first has closed", async () => {
    await using folder = temporaryFolder();
    const script = `await using driver = await open(${JSON.stringify(folder.path)}); console.log(await driver.list(""));`;
    {
      await using driver = await openFile(folder.path, { fatal });
      await driver.put("a", one);
      await using second = startChild(script);
      expect(await second.errors).toBe(`StoreError: the store in ${folder.path} is in use\n`);
      expect(await second.exited).toBe(1);
    }
    await using third = startChild(script);
    expect((await third.lines.next()).value).toBe('[ "a" ]');
    expect(await third.exited).toBe(0);
  });

  test("refuses a second driver of the same process, through a symbolic link too, and keeps its own lock", async () => {
    await using folder = temporaryFolder();
    const store = join(folder.path, "store");
    const link = join(folder.path, "link");
    await using driver = await openFile(store, { fatal });
    symlinkSync(store, link);
    for (const path of [store, link]) {
      const error = await refused(path);
      expect(error.message).toBe(`the store in ${store} is in use`);
      expect(error.hint).toContain("stop the server");
    }
    await using other = startChild(`await open(${JSON.stringify(link)})`);
    expect(await other.errors).toContain("is in use");
    await driver.put("a", one);
    expect(await driver.get("a")).toEqual(one);
  });

  test("lets one of two drivers in that open at the same time", async () => {
    await using folder = temporaryFolder();
    const outcomes = await Promise.allSettled([1, 2].map(() => openFile(folder.path, { fatal })));
    const opened = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(opened).toHaveLength(1);
    await opened[0]?.value[Symbol.asyncDispose]();
  });

  test("stays locked when nothing refers to the driver any more", async () => {
    await using folder = temporaryFolder();
    await using holder = startChild(`
      await (await open(${JSON.stringify(folder.path)})).put("a", new Uint8Array([1]));
      setTimeout(() => { for (let round = 0; round < 5; round++) Bun.gc(true); console.log("collected"); });
    `);
    expect((await holder.lines.next()).value).toBe("collected");
    expect((await refused(folder.path)).message).toContain("is in use");
  });

  test("is free as soon as its holder was killed", async () => {
    await using folder = temporaryFolder();
    await using holder = startChild(`
      const driver = await open(${JSON.stringify(folder.path)});
      await driver.put("a", new Uint8Array([1]));
      console.log("holding");
    `);
    expect((await holder.lines.next()).value).toBe("holding");
    expect((await refused(folder.path)).message).toContain("is in use");
    holder.kill();
    await holder.exited;
    await using driver = await openFile(folder.path, { fatal });
    expect(await driver.get("a")).toEqual(one);
  });
});

describe("file store, files", () => {
  for (const umask of [0, 0o277]) {
    test(`belong to their owner alone with umask ${umask.toString(8)}`, async () => {
      await using folder = temporaryFolder();
      const path = join(folder.path, "made", "here");
      const before = process.umask(umask);
      try {
        await using driver = await openFile(path, { fatal });
        await driver.put("a", one);
        const names = ["coffer.db", "coffer.db-shm", "coffer.db-wal", "coffer.lock"];
        expect(Object.keys(contents(path)).toSorted()).toEqual(names.slice(0, 3));
        for (const name of names) expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
        for (const made of [path, join(folder.path, "made")]) expect(statSync(made).mode & 0o777).toBe(0o700);
      } finally {
        process.umask(before);
      }
      expect(Object.keys(contents(path))).toEqual(["coffer.db"]);
    });
  }

  test("are taken from others when a backup was restored with wider modes", async () => {
    await using folder = temporaryFolder();
    await (await openFile(folder.path, { fatal }))[Symbol.asyncDispose]();
    for (const name of ["coffer.db", "coffer.lock"]) chmodSync(join(folder.path, name), 0o664);
    await using _driver = await openFile(folder.path, { fatal });
    for (const name of [...Object.keys(contents(folder.path)), "coffer.lock"]) {
      expect(statSync(join(folder.path, name)).mode & 0o777).toBe(0o600);
    }
  });

  test("are opened in whatever journal mode a backup was made", async () => {
    await using folder = temporaryFolder();
    {
      await using driver = await openFile(folder.path, { fatal });
      await driver.put("a", one);
    }
    const db = new Database(join(folder.path, "coffer.db"));
    db.run("PRAGMA journal_mode = DELETE");
    db.close();
    await using driver = await openFile(folder.path, { fatal });
    expect(await driver.get("a")).toEqual(one);
    await driver.put("b", one);
  });

  test("keep the mode of an existing folder that holds something", async () => {
    await using folder = temporaryFolder();
    writeFileSync(join(folder.path, "other"), "");
    chmodSync(folder.path, 0o750);
    await using _driver = await openFile(folder.path, { fatal });
    expect(statSync(folder.path).mode & 0o777).toBe(0o750);
  });

  test("take an empty folder from everybody but its owner, and leave the folder above it alone", async () => {
    await using folder = temporaryFolder();
    chmodSync(folder.path, 0o755);
    const path = join(folder.path, "store");
    mkdirSync(path);
    chmodSync(path, 0o777);
    await using _driver = await openFile(path, { fatal });
    expect(statSync(path).mode & 0o777).toBe(0o700);
    await using _below = await openFile(join(folder.path, "other", "below"), { fatal });
    expect(statSync(folder.path).mode & 0o777).toBe(0o755);
  });

  test("that are gone when the store closes do not keep it from closing", async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store");
    const driver = await openFile(path, { fatal });
    await driver.put("a", one);
    renameSync(path, join(folder.path, "elsewhere"));
    await driver[Symbol.asyncDispose]();
    await using moved = await openFile(join(folder.path, "elsewhere"), { fatal });
    expect(await moved.get("a")).toEqual(one);
  });

  test("are made anew after a process was killed while it made them", async () => {
    await using folder = temporaryFolder();
    for (let round = 0; round < 5; round++) {
      const path = join(folder.path, `store${round}`);
      mkdirSync(path, { mode: 0o700 });
      await using child = startChild(`await open(${JSON.stringify(path)}); console.log("opened");`);
      // The names come in the order in which they are made: one round for each.
      let left = round + 1;
      const { promise, resolve } = Promise.withResolvers<void>();
      const watcher = watch(path, () => {
        if (--left === 0) child.kill();
        if (left === 0) resolve();
      });
      await Promise.race([promise, child.exited]);
      watcher.close();
      await child.exited;
      await using driver = await openFile(path, { fatal });
      expect(await driver.list("")).toEqual([]);
    }
  });

  test("left behind by a creation that did not end are removed", async () => {
    await using folder = temporaryFolder();
    writeFileSync(join(folder.path, "coffer.lock"), "");
    writeFileSync(join(folder.path, "coffer.db.new"), "SQLite format 3");
    writeFileSync(join(folder.path, "coffer.db.new-journal"), "half");
    await using driver = await openFile(folder.path, { fatal });
    await driver.put("a", one);
    expect(Object.keys(contents(folder.path)).toSorted()).toEqual(["coffer.db", "coffer.db-shm", "coffer.db-wal"]);
  });
});

describe("file store, writes", () => {
  test("share a transaction when they come together", async () => {
    await using folder = temporaryFolder();
    await using driver = await openFile(folder.path, { fatal });
    await driver.put("first", one);
    const before = transactionsIn(folder.path);
    await Promise.all(Array.from({ length: 32 }, (_, index) => driver.put(`key${index}`, one)));
    expect(transactionsIn(folder.path) - before).toBe(1);
    const [early] = [driver.put("early", one), await Promise.resolve()];
    const late = Array.from({ length: 31 }, (_, index) => driver.put(`late${index}`, one));
    await Promise.all([early, ...late]);
    expect(transactionsIn(folder.path) - before).toBe(3);
  });

  test("that are on their way are done before the store closes; later calls are refused", async () => {
    await using store = await openStore();
    const { driver } = store;
    const flying = driver.put("flying", one);
    await Promise.resolve();
    const writes = [flying, ...Array.from({ length: 100 }, (_, index) => driver.put(`key${index}`, one))];
    const closing = driver[Symbol.asyncDispose]();
    const calls = [
      driver.put("a", one),
      Promise.try(() => driver.get("a")),
      driver.delete("a"),
      Promise.try(() => driver.list("")),
      driver.swap("a", one, one),
    ];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toHaveProperty("reason.message", expect.stringMatching(/^the store in .* is closed$/));
    }
    await Promise.all([...writes, closing, driver[Symbol.asyncDispose]()]);
    expect(await (await store.reopen?.())?.list("")).toHaveLength(101);
  });

  test("that were acknowledged survive SIGKILL", async () => {
    await using folder = temporaryFolder();
    for (let round = 0; round < 5; round++) {
      await using child = startChild(`
        const driver = await open(${JSON.stringify(folder.path)});
        await Promise.all(Array.from({ length: 8 }, async (_, lane) => {
          for (let index = 0; ; index++) {
            const key = "${round}/" + lane + "/" + index;
            const bytes = new TextEncoder().encode(key.repeat(1 + index % 400));
            if (index % 2 === 0) await driver.put(key, bytes);
            else if (!(await driver.swap(key, undefined, bytes))) process.exit(3);
            process.stdout.write(key + "\\n");
          }
        }));
      `);
      const acknowledged: string[] = [];
      for (let step = await child.lines.next(); step.done !== true; step = await child.lines.next()) {
        acknowledged.push(step.value);
        if (acknowledged.length === 1000 * (round + 1)) child.kill();
      }
      expect(await child.exited).toBe(128 + 9);
      expect(acknowledged.length).toBeGreaterThanOrEqual(1000 * (round + 1));
      await using driver = await openFile(folder.path, { fatal });
      for (const key of acknowledged) {
        const index = Number(key.split("/")[2]);
        expect(new TextDecoder().decode(await driver.get(key))).toBe(key.repeat(1 + (index % 400)));
      }
    }
  }, 60_000);

  test("are seen by every read that begins after their answer, whatever else is read and written", async () => {
    await using folder = temporaryFolder();
    await using driver = await openFile(folder.path, { fatal });
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      for (let index = 0; index < 100; index++) {
        // Some lanes leave pauses in which nobody writes, so that reads share a transaction in between.
        for (let pause = 0; pause < lane; pause++) await driver.get(`key${pause}`);
        if (lane % 2 === 1) await new Promise(setImmediate);
        await driver.put(`key${lane}`, new Uint8Array([index]));
        expect(await driver.get(`key${lane}`)).toEqual(new Uint8Array([index]));
        expect(await driver.list("")).toContain(`key${lane}`);
      }
    });
    await Promise.all(lanes);
    for (let index = 0; index < 20; index++) {
      await driver.put("alone", new Uint8Array([index]));
      expect(await driver.get("alone")).toEqual(new Uint8Array([index]));
      expect(await driver.get("alone")).toEqual(new Uint8Array([index]));
    }
  });

  test("do not make the log grow without bound while the store is read all the time", async () => {
    await using folder = temporaryFolder();
    await using driver = await openFile(folder.path, { fatal });
    const value = new Uint8Array(64 * 1024);
    const writing = new AbortController();
    const readers = [1, 2, 3].map(async () => {
      while (!writing.signal.aborted) {
        await Promise.all([driver.get("key1"), driver.list("")]);
        await new Promise(setImmediate);
      }
    });
    for (let index = 0; index < 1500; index++) await driver.put(`key${index % 10}`, value.fill(index));
    writing.abort();
    await Promise.all(readers);
    expect(statSync(join(folder.path, "coffer.db-wal")).size).toBeLessThan(32 * 1024 * 1024);
  }, 60_000);
});

/** Commits in the present round of the log: a frame that ends one gives the size of the database (SQLite, §4.1). */
function transactionsIn(folder: string): number {
  const bytes = readFileSync(join(folder, "coffer.db-wal"));
  let commits = 0;
  for (let at = 32; at < bytes.length; at += 24 + 4096) {
    const isPresent = bytes.subarray(at + 8, at + 16).equals(bytes.subarray(16, 24));
    if (isPresent && bytes.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}
