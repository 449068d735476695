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

test("keeps no large value, and two mebibytes of small ones: the oldest go first", () => {
  const cache = new FileCache();
  cache.keep("large", new Uint8Array(4 * KIBIBYTE + 1));
  expect(cache.get("large")).toBeUndefined();
  for (let index = 0; index < 512; index += 1) cache.keep(`key${index}`, new Uint8Array(4 * KIBIBYTE));
  expect(cache.get("key0")).toBeDefined();
  cache.keep("one more", new Uint8Array(1));
  expect([cache.get("key0"), cache.get("key1")?.length]).toEqual([undefined, 4 * KIBIBYTE]);
  // What was dropped makes room.
  cache.drop("key511");
  cache.keep("another", new Uint8Array(4 * KIBIBYTE - 1));
  expect(cache.get("key1")).toBeDefined();
});
