import { describe, expect, test } from "bun:test";
import type { StorageOperation } from "../core/around-driver.ts";
import { CachedEntries } from "../core/barrier/cached-entry.ts";
import { fromUtf8, utf8 } from "../core/encoding.ts";
import { Unknown } from "../storage/driver.ts";
import { barrierStore } from "./barrier-store.ts";
import { memoryOver, rejection, wrapDriver } from "./harness.ts";

/** Cached texts over a store, with what reaches the driver and what is decoded. `ask` and `answer` may hold an operation back. */
async function cachedTexts({ limit = 10, exclusive = true } = {}) {
  const made = barrierStore();
  const seen = { gets: [] as string[], decoded: [] as string[] };
  const pass = async (_operation: StorageOperation): Promise<void> => undefined;
  const hook = { ask: pass, answer: pass };
  const driver = wrapDriver(memoryOver(made.store, exclusive), async (operation, key, act) => {
    if (operation === "get" && key !== "core/keyring") seen.gets.push(key);
    await hook.ask(operation);
    const result = await act();
    await hook.answer(operation);
    return result;
  });
  const barrier = await made.open(driver);
  const decode = (value: Uint8Array) => {
    const text = fromUtf8(value);
    seen.decoded.push(text);
    if (text === "damaged") throw new Error("damaged");
    return text;
  };
  const entries = new CachedEntries(barrier, decode, limit);
  const put = (path: string, text: string) => barrier.put(path, utf8(text));
  const textAt = async (path: string) => (await entries.read(path))?.value;
  return { seen, hook, barrier, entries, put, textAt };
}

/** Holds the first operation of a kind until it is released. */
function hold(kind: StorageOperation) {
  const [waiting, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isFirst = true;
  const hook = async (operation: StorageOperation): Promise<void> => {
    if (operation !== kind || !isFirst) return;
    isFirst = false;
    waiting.resolve();
    await released.promise;
  };
  return { hook, waiting: waiting.promise, release: () => released.resolve() };
}

describe("cached entries", () => {
  test("are read once where nobody else writes", async () => {
    const { seen, put, textAt } = await cachedTexts();
    await put("a", "1");
    for (let i = 0; i < 3; i += 1) expect(await textAt("a")).toBe("1");
    expect(seen).toEqual({ gets: ["a"], decoded: ["1"] });
  });

  test("are compared with what is stored where others write, and decoded only when that is another", async () => {
    const { seen, put, textAt } = await cachedTexts({ exclusive: false });
    await put("a", "1");
    for (let i = 0; i < 3; i += 1) expect(await textAt("a")).toBe("1");
    expect(seen.decoded).toEqual(["1"]);
    await put("a", "2");
    for (let i = 0; i < 3; i += 1) expect(await textAt("a")).toBe("2");
    expect(seen.decoded).toEqual(["1", "2"]);
  });

  test("are not kept while they are absent, or when they cannot be decoded", async () => {
    const { put, textAt } = await cachedTexts();
    expect(await textAt("a")).toBeUndefined();
    await put("a", "damaged");
    expect((await rejection(textAt("a"))).message).toBe("damaged");
    await put("a", "1");
    expect(await textAt("a")).toBe("1");
  });

  test("are what was swapped in, and gone when they were removed", async () => {
    const { entries, put, textAt } = await cachedTexts();
    await put("a", "1");
    const first = await entries.read("a");
    if (first === undefined) throw new Error("no entry");
    expect(await entries.swap("a", first.stored, utf8("2"))).toBe(true);
    expect(await textAt("a")).toBe("2");
    expect(await entries.swap("a", first.stored, utf8("3"))).toBe(false);
    expect(await entries.remove("a", first.stored)).toBe(false);
    const second = await entries.read("a");
    expect(second?.value).toBe("2");
    expect(await entries.remove("a", second?.stored ?? first.stored)).toBe(true);
    expect(await textAt("a")).toBeUndefined();
  });

  test("are read anew after a change of which nobody knows whether it landed", async () => {
    const { entries, hook, put, textAt } = await cachedTexts();
    await put("a", "1");
    const first = await entries.read("a");
    hook.answer = async (operation) => {
      if (operation === "swap") throw new Unknown("the connection was lost");
    };
    expect(await rejection(entries.swap("a", first?.stored, utf8("2")))).toMatchObject({ code: "unknown-outcome" });
    expect(await textAt("a")).toBe("2");
  });

  test("are not what a slow read found that began before a change", async () => {
    const { entries, hook, put, textAt } = await cachedTexts();
    await put("a", "1");
    const first = await entries.read("a");
    // A swap that fails drops what is kept.
    expect(await entries.swap("a", undefined, utf8("x"))).toBe(false);
    const held = hold("get");
    hook.answer = held.hook;
    const slow = textAt("a");
    await held.waiting;
    expect(await entries.swap("a", first?.stored, utf8("2"))).toBe(true);
    held.release();
    expect(await slow).toBe("1");
    expect(await textAt("a")).toBe("2");
  });

  test.each([
    ["has landed and is not answered yet", "answer", "2"],
    ["has not landed yet", "ask", "1"],
  ] as const)("show a change that %s as the store does, and the changed value after it", async (_when, which, now) => {
    const { entries, hook, put, textAt } = await cachedTexts();
    await put("a", "1");
    const first = await entries.read("a");
    const held = hold("swap");
    hook[which] = held.hook;
    const swapped = entries.swap("a", first?.stored, utf8("2"));
    await held.waiting;
    expect(await textAt("a")).toBe(now);
    held.release();
    expect(await swapped).toBe(true);
    expect(await textAt("a")).toBe("2");
  });

  test("are at most as many as the limit: the oldest go first", async () => {
    const { seen, put, textAt } = await cachedTexts({ limit: 2 });
    for (const path of ["a", "b", "c"]) await put(path, path);
    for (const path of ["a", "b", "c"]) await textAt(path);
    seen.gets.length = 0;
    for (const path of ["c", "b", "c"]) expect(await textAt(path)).toBe(path);
    expect(seen.gets).toEqual([]);
    for (const path of ["a", "c", "b"]) expect(await textAt(path)).toBe(path);
    expect(seen.gets).toEqual(["a", "b"]);
  });
});
