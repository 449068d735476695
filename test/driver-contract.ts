import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Driver } from "../storage/driver.ts";
import { commands, hex, listed } from "./driver-model.ts";

/** A fresh, empty store. */
export interface Store extends AsyncDisposable {
  readonly driver: Driver;
  /** Closes the store and opens it again; absent when what the driver holds ends with it. */
  readonly reopen?: () => Promise<Driver>;
}

export interface Backend {
  readonly name: string;
  readonly open: () => Promise<Store>;
}

const RUNS = process.env["SLOW"] === undefined ? 60 : 1500;

/** What every driver promises. */
export function testDriver({ name, open }: Backend): void {
  describe(`driver contract: ${name}`, () => {
    test("behaves as a sorted map under any sequence of writes", async () => {
      await fc.assert(
        fc.asyncProperty(commands, async (run) => {
          await using store = await open();
          const real = { driver: store.driver, reopen: store.reopen };
          await fc.asyncModelRun(() => ({ model: new Map<string, Uint8Array>(), real }), run);
        }),
        { numRuns: RUNS },
      );
    }, 300_000);
    for (const [title, run] of Object.entries(CASES)) {
      test(title, async () => {
        await using store = await open();
        await run(store.driver);
      });
    }
  });
}

const one = new Uint8Array([1]);
const two = new Uint8Array([2]);

const ODD_KEYS = [
  "..",
  ".",
  "_",
  "%",
  "*",
  "?",
  "[a-z]",
  "'",
  '"',
  "`",
  "\\",
  ";--",
  "a b",
  "\0",
  "a\0b",
  "a\0c",
  "a\nb",
  "\r",
  "\t",
  "x".repeat(4096),
  `deep/${"y/".repeat(200)}end`,
  "é",
  "e\u0301",
  "\uFEFF",
  "\uFEFFa",
  "\uFFFE",
  "\uFFFF",
  "\uE000",
  "\uD7FF",
  "\u{10000}",
  "\u{1F600}",
  "\u{10FFFF}",
  "__proto__",
  "constructor",
  "A",
  "a",
];

const CASES: Record<string, (driver: Driver) => Promise<void>> = {
  "takes values of at least 1 MiB and gives them back": async (driver) => {
    expect(driver.maxValue).toBeGreaterThanOrEqual(1024 * 1024);
    const largest = new Uint8Array(driver.maxValue).map((_, index) => index % 251);
    await driver.put("large", largest);
    expect(Buffer.compare((await driver.get("large")) ?? one, largest)).toBe(0);
    expect(await driver.swap("large", largest, one)).toBe(true);
  },
  "refuses a larger value and stores nothing": async (driver) => {
    const larger = new Uint8Array(driver.maxValue + 1);
    for (const write of [driver.put("a", larger), driver.swap("a", undefined, larger)]) {
      const [outcome] = await Promise.allSettled([write]);
      expect(outcome).toHaveProperty("reason.message", `a value of ${larger.length} bytes exceeds ${driver.maxValue}`);
    }
    expect(await driver.get("a")).toBeUndefined();
  },
  "keeps a leaf and a folder of the same name apart": async (driver) => {
    await Promise.all([driver.put("a", one), driver.put("a/b", two)]);
    expect(await driver.list("")).toEqual(["a", "a/"]);
    expect(await driver.list("a/")).toEqual(["b"]);
    await driver.delete("a");
    expect(await driver.get("a/b")).toEqual(two);
    expect(await driver.list("")).toEqual(["a/"]);
    await driver.delete("a/b");
    expect(await driver.list("")).toEqual([]);
  },
  "tells an empty value from an absent one": async (driver) => {
    const empty = new Uint8Array();
    await driver.put("a", empty);
    expect(await driver.get("a")).toEqual(empty);
    expect(await driver.swap("a", undefined, one)).toBe(false);
    expect(await driver.swap("a", empty, one)).toBe(true);
    expect(await driver.swap("a", one, empty)).toBe(true);
    expect(await driver.swap("b", empty, one)).toBe(false);
    expect(await driver.get("a")).toEqual(empty);
  },
  "keeps odd keys apart and lists them in the byte order of UTF-8": async (driver) => {
    await Promise.all(ODD_KEYS.map((key) => driver.put(`odd/${key}`, new TextEncoder().encode(key))));
    for (const key of ODD_KEYS) expect(await driver.get(`odd/${key}`)).toEqual(new TextEncoder().encode(key));
    expect(await driver.list("odd/")).toEqual(listed(ODD_KEYS, ""));
  },
  "shows a write to whoever asks after it was acknowledged": async (driver) => {
    for (let round = 0; round < 100; round++) {
      await driver.put("a", new Uint8Array([round]));
      expect(await driver.get("a")).toEqual(new Uint8Array([round]));
    }
  },
  "ends concurrent puts of one key with one of them": async (driver) => {
    const values = Array.from({ length: 32 }, (_, index) => new Uint8Array(100).fill(index));
    await Promise.all(values.map((value) => driver.put("a", value)));
    expect(values.map(hex)).toContain(hex(await driver.get("a")));
  },
  "lets exactly one of many concurrent swaps win": async (driver) => {
    let was: Uint8Array | undefined;
    for (let round = 0; round < 10; round++) {
      const expected = was;
      const values = Array.from({ length: 32 }, (_, index) => new Uint8Array([round, index]));
      const won = await Promise.all(values.map((value) => driver.swap("a", expected, value)));
      expect(won.filter(Boolean)).toHaveLength(1);
      was = await driver.get("a");
      expect(hex(was)).toBe(hex(values[won.indexOf(true)]));
    }
  },
  "swaps between absent and present": async (driver) => {
    expect(await driver.swap("a", undefined, undefined)).toBe(true);
    expect(await driver.swap("a", one, undefined)).toBe(false);
    expect(await driver.swap("a", undefined, one)).toBe(true);
    expect(await driver.swap("a", undefined, undefined)).toBe(false);
    expect(await driver.swap("a", two, undefined)).toBe(false);
    expect(await driver.swap("a", one, undefined)).toBe(true);
    expect(await driver.get("a")).toBeUndefined();
    expect(await driver.list("")).toEqual([]);
  },
  "compares every byte in a swap": async (driver) => {
    const stored = new Uint8Array(64).fill(7);
    await driver.put("a", stored);
    for (const at of [0, 31, 63]) expect(await driver.swap("a", stored.with(at, 8), two)).toBe(false);
    expect(await driver.swap("a", stored.subarray(1), two)).toBe(false);
    expect(await driver.swap("a", stored, two)).toBe(true);
  },
  "deletes what is absent without complaint": async (driver) => {
    await driver.delete("a");
    expect(await driver.get("a")).toBeUndefined();
  },
  "pages through a folder as it lists it, for every limit": async (driver) => {
    const keys = ["a", "a/b", "a/c/d", "a-", "a0", "b/x", "b/y", "\uFFFD", "\u{1F600}", "z"].map((key) => `in/${key}`);
    await Promise.all([...keys, "in", "in-", "in0", "io"].map((key) => driver.put(key, one)));
    const whole = await driver.list("in/");
    expect(whole).toEqual(listed(keys, "in/"));
    for (let limit = 1; limit <= whole.length + 1; limit++) {
      const paged: string[] = [];
      for (let page = await driver.list("in/", { limit }); page.length > 0;) {
        expect(page.length).toBeLessThanOrEqual(limit);
        paged.push(...page);
        page = await driver.list("in/", { after: page.at(-1), limit });
      }
      expect(paged).toEqual(whole);
    }
    expect(await driver.list("in/", { limit: 0 })).toEqual([]);
  },
  "goes on behind a child that is gone": async (driver) => {
    await Promise.all(["a", "b/x", "c"].map((key) => driver.put(key, one)));
    await driver.delete("b/x");
    expect(await driver.list("", { after: "b/" })).toEqual(["c"]);
    expect(await driver.list("", { after: "aa" })).toEqual(["c"]);
  },
  "lists a folder with many children and descendants whole": async (driver) => {
    const keys = Array.from({ length: 1500 }, (_, index) => (index % 3 === 0 ? `d${index % 40}/${index}` : `${index}`));
    await Promise.all(keys.map((key) => driver.put(key, one)));
    expect(await driver.list("")).toEqual(listed(keys, ""));
    expect(await driver.list("", { after: "d3/", limit: 2 })).toEqual(listed(keys, "", { after: "d3/", limit: 2 }));
  },
};
