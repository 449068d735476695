import { expect, test } from "bun:test";
import { FileCache } from "../storage/file-cache.ts";

const KIBIBYTE = 1024;

test("gives what was kept, until it is dropped", () => {
  const cache = new FileCache();
  const value = new Uint8Array([1]);
  expect(cache.get("a")).toBeUndefined();
  cache.keep("a", value);
  cache.drop("b");
  expect(cache.get("a")).toBe(value);
  cache.drop("a");
  expect(cache.get("a")).toBeUndefined();
});

test("keeps no large entry, and two mebibytes of small ones: the oldest go first", () => {
  const cache = new FileCache();
  const sized = (key: string, bytes: number) => new Uint8Array(bytes - key.length - 100);
  for (const [key, bytes] of [
    ["large", 4 * KIBIBYTE],
    ["k".repeat(4 * KIBIBYTE), 0],
  ] as const) {
    cache.keep(key, new Uint8Array(bytes));
    expect(cache.get(key)).toBeUndefined();
  }
  for (let index = 0; index < 512; index += 1) {
    cache.keep(`key${index}`, sized(`key${index}`, 4 * KIBIBYTE));
  }
  expect(cache.get("key0")).toBeDefined();
  cache.keep("one more", new Uint8Array());
  expect([cache.get("key0") === undefined, cache.get("key1") === undefined]).toEqual([true, false]);
  // What was dropped makes room.
  cache.drop("key511");
  cache.keep("another", sized("another", 4 * KIBIBYTE));
  expect(cache.get("key1")).toBeDefined();
});
