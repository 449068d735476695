import { describe, expect, test } from "bun:test";
import { StoreError } from "../storage/driver.ts";
import { openStorage } from "../storage/index.ts";
import { openMemory } from "../storage/memory.ts";
import { testDriver } from "./driver-contract.ts";
import { fatal, openStore, temporaryFolder } from "./file-store.ts";

testDriver({
  name: "memory",
  open: async () => {
    const driver = openMemory();
    return { driver, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() };
  },
});

testDriver({ name: "file", open: openStore });

describe("memory", () => {
  test("is exclusive unless its store is shared", async () => {
    expect(openMemory().exclusive).toBe(true);
    const store = new Map<string, Uint8Array>();
    const [left, right] = [openMemory({ store }), openMemory({ store })];
    expect([left.exclusive, right.exclusive]).toEqual([false, false]);
    await left.put("a", new Uint8Array([1]));
    expect(await right.get("a")).toEqual(new Uint8Array([1]));
  });
});

describe("openStorage", () => {
  const refused = {
    "": "the storage URL has no scheme",
    "/var/lib/coffer": "the storage URL has no scheme",
    "redis://user:hunter2@host": 'unknown storage scheme "redis"',
    "constructor:x": 'unknown storage scheme "constructor"',
    "file:": "file: names no folder",
    "file:a\0b": "file: names a folder with a NUL in it",
    "file://hunter2@host/x": "file: takes no host",
    "memory:hunter2": "memory: takes nothing after the colon",
  };
  for (const [url, message] of Object.entries(refused)) {
    test(`refuses ${JSON.stringify(url)}`, async () => {
      const error = await openStorage(url, { fatal }).catch((reason: unknown) => reason);
      if (!(error instanceof StoreError)) throw error;
      expect(error.message).toBe(message);
      expect(error.hint).toContain("file:relative/folder or memory:");
      expect(error.message + error.hint).not.toContain("hunter2");
    });
  }

  test("opens what the URL names", async () => {
    await using memory = await openStorage("memory:", { fatal });
    expect([memory.type, memory.exclusive, memory.maxValue]).toEqual(["inmem", true, 1048576]);
    await using folder = temporaryFolder();
    for (const url of [`file:${folder.path}/100%25 ?x#y`, `file://${folder.path}/100%25 ?x#y`]) {
      await using file = await openStorage(url, { fatal });
      expect([file.type, file.exclusive, file.maxValue]).toEqual(["file", true, 1048576]);
      expect(await Bun.file(`${folder.path}/100%25 ?x#y/coffer.db`).exists()).toBe(true);
    }
  });

  test("resolves a relative folder once", async () => {
    await using folder = temporaryFolder();
    const before = process.cwd();
    try {
      process.chdir(folder.path);
      for (const url of ["file:data", "file:./data"]) {
        process.chdir(folder.path);
        await using file = await openStorage(url, { fatal });
        process.chdir("/");
        await file.put("a", new Uint8Array([1]));
        expect(await file.list("")).toEqual(["a"]);
      }
      expect(await Bun.file(`${folder.path}/data/coffer.db`).exists()).toBe(true);
    } finally {
      process.chdir(before);
    }
  });
});
