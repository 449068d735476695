/** What the file store asks of the disk, as the system sees it: which files are synced, and when. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { DamagedEntry } from "../storage/driver.ts";
import { openFile } from "../storage/file.ts";
import { rejection } from "./harness.ts";
import { fatal, run, startChild, temporaryFolder } from "./file-store.ts";

const canTrace = run("strace", "-qq", "-e", "trace=none", "true") === 0;
const reason = canTrace ? "" : " (skipped: this user may not trace a process)";
if (!canTrace) console.log(`system calls of the file store${reason}`);

test.skipIf(canTrace || process.env["CI"] === undefined)("the traces run where CI is set", () => {
  throw new Error("strace failed");
});

interface Call {
  readonly name: string;
  /** The file, or the new name of one; for what is printed the text. */
  readonly what: string;
}

/** Runs a script, with `open(folder)` and `say(text)` in scope, and gives the calls it made, in the order of their ends. */
async function traced(folder: string, script: string): Promise<Call[]> {
  const output = join(folder, "trace");
  const names = "fsync,fdatasync,pwrite64,write,rename,renameat,renameat2,mkdir,mkdirat";
  const through = ["strace", "-f", "-qq", "-y", "-e", `trace=${names}`, "-o", output];
  await using child = startChild(`const say = (text) => require("node:fs").writeSync(1, text + "\\n"); ${script}`, {
    through,
  });
  expect([await child.errors, await child.exited]).toEqual(["", 0]);
  return [...callsIn(fs.readFileSync(output, "utf8"))];
}

function* callsIn(trace: string): Generator<Call> {
  /** By thread: calls that another thread's came in between. */
  const begun = new Map<string, string>();
  for (const line of trace.split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(thread, rest);
      continue;
    }
    const call = rest.startsWith("<...") ? (begun.get(thread) ?? "") : rest;
    const [, name = "", given = ""] = /^(\w+)\((.*)/.exec(call) ?? [];
    if (name === "write") {
      const [, text] = /^1<[^>]*>, "(.*)\\n"/.exec(given) ?? [];
      if (text !== undefined) yield { name: "say", what: text };
    } else if (name.startsWith("rename") || name.startsWith("mkdir")) {
      yield { name: name.replace(/at2?$/, ""), what: [...given.matchAll(/"([^"]*)"/g)].at(-1)?.[1] ?? "" };
    } else if (name !== "") {
      yield { name: name === "pwrite64" ? "write" : "sync", what: /^\d+<([^>]*)>/.exec(given)?.[1] ?? "" };
    }
  }
}

/** What was done to `file` after it was said that `from`, and before `to`. */
function between(calls: readonly Call[], from: string, to: string, file: string): string[] {
  const at = (text: string) => calls.findIndex(({ name, what }) => name === "say" && what === text);
  return calls
    .slice(at(from) + 1, at(to))
    .filter(({ what }) => what === file)
    .map(({ name }) => name);
}

describe.skipIf(!canTrace)(`the file store${reason}`, () => {
  test("syncs its log before it answers a write, and its folder when the log is gone", async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store");
    const calls = await traced(
      folder.path,
      `const driver = await open(${JSON.stringify(path)});
      const value = (byte) => new Uint8Array(100).fill(byte);
      say("opened");
      await driver.put("a", value(1));
      say("first");
      await driver.put("a", value(2));
      say("put");
      await driver.swap("a", value(2), value(3));
      say("swapped");
      await driver.delete("a");
      say("deleted");
      await driver[Symbol.asyncDispose]();
      say("closed");`,
    );
    const steps = ["opened", "first", "put", "swapped", "deleted"];
    for (const [i, to] of steps.entries()) {
      if (i === 0) continue;
      const done = between(calls, steps[i - 1] ?? "", to, join(path, "coffer.db-wal"));
      expect([to, done.includes("write"), done.at(-1)]).toEqual([to, true, "sync"]);
    }
    expect(between(calls, "deleted", "closed", path)).toContain("sync");
  });

  test("syncs a new store before it gets its name, and every folder after it got one", async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "above", "store");
    const calls = await traced(folder.path, `await open(${JSON.stringify(path)}); say("opened"); process.exit(0);`);
    const position = (name: string, what: string, from = 0) =>
      calls.findIndex((call, at) => at >= from && call.name === name && call.what === what);
    const opened = position("say", "opened");
    for (const made of [join(folder.path, "above"), path]) {
      const synced = position("sync", join(made, ".."), position("mkdir", made));
      expect([made, position("mkdir", made) >= 0, synced >= 0 && synced < opened]).toEqual([made, true, true]);
    }
    const named = position("rename", join(path, "coffer.db"));
    const fresh = join(path, "coffer.db.new");
    const before = calls.slice(0, named).filter(({ what }) => what === fresh);
    expect([before.some(({ name }) => name === "write"), before.at(-1)?.name]).toEqual([true, "sync"]);
    // At once: the lock, which is written next, says that there is a store.
    expect(calls[named + 1]).toEqual({ name: "sync", what: path });
  });

  test("ends the process when the database cannot be synced, and does not try a second time", async () => {
    await using folder = temporaryFolder();
    const [path, output] = [join(folder.path, "store"), join(folder.path, "trace")];
    await (await openFile(path, { fatal }))[Symbol.asyncDispose]();
    const syncs = "fsync,fdatasync";
    const fail = ["-P", join(path, "coffer.db"), "-e", `inject=${syncs}:error=EIO:when=1`];
    await using child = startChild(
      `const driver = await open(${JSON.stringify(path)});
      for (let index = 0; index < 100; index++) await driver.put("key" + index, new Uint8Array(200_000));
      await driver[Symbol.asyncDispose]();`,
      { through: ["strace", "-f", "-qq", "-e", `trace=${syncs}`, ...fail, "-o", output] },
    );
    expect(await child.errors).toBe(`the store in ${path} failed (SQLITE_IOERR_FSYNC)\n`);
    expect(await child.exited).toBe(70);
    // A call that another thread interrupts is traced in two lines, of which the first has its arguments.
    expect(fs.readFileSync(output, "utf8").match(/sync\(.*/g)).toHaveLength(1);
  });
});

test("the bytes of a value that was deleted or replaced are nowhere in the files of a store that is closed", async () => {
  await using folder = temporaryFolder();
  const marked = (key: string, size: number) => new TextEncoder().encode(`the secret of ${key} `.repeat(size));
  const keys = Array.from({ length: 60 }, (_, index) => `key${index}`);
  const values = new Map(keys.map((key, index) => [key, marked(key, 1 + 40 * (index % 10))]));
  {
    await using driver = await openFile(folder.path, { fatal });
    for (const [key, value] of values) await driver.put(key, value);
  }
  const stored = () => fs.readFileSync(join(folder.path, "coffer.db"), "latin1");
  expect(keys.filter((key) => stored().includes(`the secret of ${key} `))).toEqual(keys);
  {
    await using driver = await openFile(folder.path, { fatal });
    // Some stay, so that pages keep entries beside the holes.
    for (const [index, key] of keys.entries()) {
      if (index % 4 === 1) await driver.delete(key);
      if (index % 4 === 2) await driver.put(key, new Uint8Array([1]));
    }
  }
  expect(fs.readdirSync(folder.path).sort()).toEqual(["coffer.db", "coffer.lock"]);
  const left = keys.filter((_key, index) => index % 4 === 0 || index % 4 === 3);
  expect(keys.filter((key) => stored().includes(`the secret of ${key} `))).toEqual(left);
});

test("an entry without a sum is damaged", async () => {
  await using folder = temporaryFolder();
  {
    await using driver = await openFile(folder.path, { fatal });
    for (const key of ["a", "b"]) await driver.put(key, new Uint8Array([1]));
  }
  using db = new Database(join(folder.path, "coffer.db"));
  db.run("UPDATE entry SET sum = NULL WHERE path = 'a'");
  db.close();
  await using driver = await openFile(folder.path, { fatal });
  expect(await rejection(Promise.try(() => driver.get("a")))).toBeInstanceOf(DamagedEntry);
  expect(await driver.get("b")).toEqual(new Uint8Array([1]));
});
