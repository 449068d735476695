import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Barrier } from "../core/barrier/barrier.ts";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { toHex, utf8 } from "../core/encoding.ts";
import { ApiError } from "../core/errors.ts";
import { barrierStore, gate } from "./barrier-store.ts";
import { rejection, runs } from "./harness.ts";
import { openFrame, splitFrame } from "./vault-format.ts";

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await rejection(promise);
  if (error instanceof ApiError) return error.code;
  throw error;
}

/** Every way to storage, as promises even where the call itself throws. */
function operations(barrier: Barrier): Record<string, () => Promise<unknown>> {
  return {
    get: async () => barrier.get("a"),
    read: async () => barrier.read("a"),
    stored: async () => barrier.stored("a"),
    put: async () => barrier.put("a", utf8("new")),
    swap: async () => barrier.swap("a", undefined, utf8("new")),
    remove: async () => barrier.remove("a", utf8("old")),
    delete: async () => barrier.delete("a"),
    list: async () => barrier.list(""),
    keyStatus: async () => barrier.keys.status(),
  };
}

const path = fc.constantFrom("a", "a/b", "a/b/c", "b", "ü/日本", "😀");
const bytes = fc.uint8Array({ maxLength: 20 });
const step = fc.oneof(
  fc.record({ act: fc.constant("put" as const), path, value: bytes }),
  fc.record({ act: fc.constant("swap" as const), path, value: bytes, stale: fc.boolean() }),
  fc.record({ act: fc.constant("remove" as const), path, stale: fc.boolean() }),
  fc.record({ act: fc.constant("delete" as const), path }),
  fc.record({ act: fc.constant("reopen" as const) }),
);

describe("the barrier", () => {
  test("keeps what is put, swapped, removed and deleted, as a map does", async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const made = barrierStore();
      let barrier = await made.open();
      const model = new Map<string, string>();
      for (const given of steps) {
        if (given.act === "reopen") {
          await barrier.close();
          barrier = await made.open();
          continue;
        }
        const was = (await barrier.read(given.path))?.stored;
        if (given.act === "put") await barrier.put(given.path, given.value);
        if (given.act === "delete") await barrier.delete(given.path);
        if (given.act === "put") model.set(given.path, toHex(given.value));
        if (given.act === "delete") model.delete(given.path);
        if (given.act === "swap") {
          const swapped = await barrier.swap(given.path, given.stale ? utf8("stale") : was, given.value);
          expect(swapped).toEqual(given.stale ? undefined : await barrier.stored(given.path));
          if (!given.stale) model.set(given.path, toHex(given.value));
        }
        if (given.act === "remove" && was !== undefined) {
          expect(await barrier.remove(given.path, given.stale ? utf8("stale") : was)).toBe(!given.stale);
          if (!given.stale) model.delete(given.path);
        }
      }
      for (const at of ["a", "a/b", "a/b/c", "b", "ü/日本", "😀"]) {
        const value = await barrier.get(at);
        expect(value === undefined ? undefined : toHex(value)).toBe(model.get(at));
      }
      const roots = new Set([...model.keys()].map((at) => (at.includes("/") ? `${at.split("/")[0]}/` : at)));
      expect(new Set(await barrier.list(""))).toEqual(new Set([...roots, "core/"]));
      await barrier.close();
    });
    await fc.assert(property, { numRuns: runs(60) });
  });

  test("stores ciphertext only, bound to its path, under the active term", async () => {
    const made = barrierStore();
    const barrier = await made.open();
    await barrier.put("logical/x", utf8("plaintext"));
    const frame = made.store.get("logical/x") ?? new Uint8Array();
    expect(Buffer.from(frame).includes("plaintext")).toBe(false);
    expect(splitFrame(frame).term).toBe(1);
    expect(openFrame(made.keyring().keys[0]?.value ?? new Uint8Array(), "logical/x", frame)).toEqual(utf8("plaintext"));
  });

  test("refuses an entry that was moved, changed, cut or swapped for another kind, by its name", async () => {
    const made = barrierStore();
    const barrier = await made.open();
    await barrier.put("a", utf8("secret of a"));
    const frame = made.store.get("a") ?? new Uint8Array();
    made.store.set("moved", frame);
    made.store.set("changed", Uint8Array.from([...frame.subarray(0, -1), (frame.at(-1) ?? 0) ^ 1]));
    made.store.set("cut", frame.subarray(0, 32));
    made.store.set("empty", new Uint8Array());
    made.store.set("version", Uint8Array.from([0, 0, 0, 1, 1, ...frame.subarray(5)]));
    made.store.set("term", Uint8Array.from([0, 0, 0, 9, ...frame.subarray(4)]));
    made.store.set("keyring", made.store.get(KEYRING_PATH) ?? new Uint8Array());
    const why: Record<string, string> = {
      moved: "message authentication failed",
      changed: "message authentication failed",
      cut: "an entry has at least 33 bytes, not 32",
      empty: "an entry has at least 33 bytes, not 0",
      version: "entry version 1 is not supported",
      term: "no decryption key available for term 9",
      keyring: "message authentication failed",
    };
    for (const [at, reason] of Object.entries(why)) {
      const error = await rejection((async () => barrier.get(at))());
      expect(error).toMatchObject({ code: "damaged", message: `cannot open the entry at ${at}: ${reason}` });
    }
  });

  test.each(["", "a/", "/", "\ud800", "a/\udc00b"])("refuses the path %j", async (at) => {
    const barrier = await barrierStore().open();
    for (const act of [
      async () => barrier.get(at),
      async () => barrier.stored(at),
      async () => barrier.put(at, utf8("v")),
      async () => barrier.swap(at, undefined, utf8("v")),
      async () => barrier.remove(at, utf8("v")),
      async () => barrier.delete(at),
    ])
      expect((await rejection(act())).message).toBe("not a path for an entry");
  });

  test("refuses a value that is too large for the driver, with its frame, and takes one that just fits", async () => {
    const made = barrierStore();
    const { driver, store } = made;
    const barrier = await made.open();
    const fits = new Uint8Array(driver.maxValue - 33);
    await barrier.put("a", fits);
    expect((await barrier.get("a"))?.length).toBe(fits.length);
    const error = await rejection(barrier.put("b", new Uint8Array(fits.length + 1)));
    expect(error).toMatchObject({ code: "value-too-large", status: 413 });
    expect(error.message).toContain(`got ${driver.maxValue + 1} bytes, max: ${driver.maxValue} bytes`);
    expect(store.has("b")).toBe(false);
  });

  test("tells an outcome that is not known from every other", async () => {
    const made = barrierStore();
    const gated = gate(made.driver);
    const barrier = await made.open(gated.driver);
    await barrier.put("a", utf8("old"));
    const was = await barrier.stored("a");
    gated.fate = (_operation, key) => (key === "a" ? "unknown, written" : "done");
    expect(await codeOf(barrier.put("a", utf8("1")))).toBe("unknown-outcome");
    expect(await codeOf(barrier.swap("a", was, utf8("2")))).toBe("unknown-outcome");
    expect(await codeOf(barrier.remove("a", was ?? utf8("")))).toBe("unknown-outcome");
    expect(await codeOf(barrier.delete("a"))).toBe("unknown-outcome");
  });
});

describe("a term that another node added", () => {
  test("is read at once, and used once the keyring is read again", async () => {
    const made = barrierStore();
    const old = await made.open();
    await old.put("old", utf8("1"));
    const term = await made.rotate();
    const other = await made.open();
    await other.put("new", utf8("2"));
    expect(splitFrame(made.store.get("new") ?? new Uint8Array()).term).toBe(term);
    expect(await old.get("new")).toEqual(utf8("2"));
    expect(await other.get("old")).toEqual(utf8("1"));
    made.clock.advance(5000);
    await old.put("old", utf8("3"));
    expect(splitFrame(made.store.get("old") ?? new Uint8Array()).term).toBe(term);
    expect((await old.keys.status()).term).toBe(term);
  });
});

describe("a closed barrier", () => {
  test("refuses everything", async () => {
    const made = barrierStore();
    const barrier = await made.open();
    await barrier.put("a", utf8("old"));
    await barrier.close();
    const before = new Map(made.store);
    for (const [name, act] of Object.entries(operations(barrier)))
      expect([name, await codeOf(act())]).toEqual([name, "sealed"]);
    expect(made.store).toEqual(before);
  });

  test("has let every put in flight settle first, also for who closes it a second time", async () => {
    const made = barrierStore();
    const gated = gate(made.driver);
    const barrier = await made.open(gated.driver);
    await barrier.put("warm", utf8("up"));
    gated.hold = (operation) => operation === "put";
    const settled: string[] = [];
    const put = barrier.put("a", utf8("late")).then(() => settled.push("put"));
    await gated.waiting();
    const closes = [barrier.close(), barrier.close()].map((close) => close.then(() => settled.push("close")));
    // Everything that could happen without the put has happened.
    await new Promise((resolve) => setImmediate(resolve));
    gated.open();
    await Promise.all([put, ...closes]);
    expect(settled).toEqual(["put", "close", "close"]);
    expect(gated.passed.at(-1)).toBe(`swap ${KEYRING_PATH}`);
    expect(await (await made.open()).get("a")).toEqual(utf8("late"));
  });

  for (const held of ["a", KEYRING_PATH]) {
    test.each(["get", "put", "swap", "keyStatus"])(`refuses a %s that waited for ${held} meanwhile`, async (name) => {
      const made = barrierStore();
      const first = await made.open();
      await first.put("a", utf8("old"));
      await first.close();
      const gated = gate(made.driver);
      const barrier = await made.open(gated.driver);
      // A term that this node does not know, so that a get reads the keyring too.
      await made.rotate();
      const other = await made.open();
      await other.put("a", utf8("of term 2"));
      gated.hold = (operation, key) => operation === "get" && key === held;
      const outcome = codeOf(operations(barrier)[name]?.() ?? Promise.resolve());
      const waits = held === KEYRING_PATH || name === "get";
      if (waits) await gated.waiting();
      const closed = barrier.close();
      gated.open();
      await closed;
      if (waits) expect(await outcome).toBe("sealed");
      else await outcome.catch(() => undefined);
    });
  }
});

describe("a store that was put back from a copy", () => {
  test("is told from its own by the keyring's incarnation, and nothing more is written to it", async () => {
    const made = barrierStore();
    let seen = 0;
    const barrier = await made.open(made.driver, () => {
      seen += 1;
      void barrier.close().catch(() => undefined);
    });
    await barrier.put("a", utf8("1"));
    await made.change((keyring) => ({ ...keyring, incarnation: "another" }));
    const before = new Map(made.store);
    made.clock.advance(5000);
    expect(await codeOf(barrier.put("a", utf8("2")))).toBe("damaged");
    expect(seen).toBeGreaterThan(0);
    expect(await codeOf(barrier.put("a", utf8("3")))).toBe("sealed");
    expect(made.store).toEqual(before);
  });
});
