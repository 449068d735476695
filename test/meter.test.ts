import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { utf8 } from "../core/encoding.ts";
import { barrierStore, gate } from "./barrier-store.ts";
import { rejection, runs } from "./harness.ts";
import { commands, MeterModel } from "./meter-model.ts";
import { splitFrame } from "./vault-format.ts";

const READ = `get ${KEYRING_PATH}`;
const WRITE = `swap ${KEYRING_PATH}`;
const value = utf8("value");

/** A node whose operations are seen, with its first block taken and used once. */
async function startedNode() {
  const made = barrierStore();
  const gated = gate(made.driver);
  const barrier = await made.open(gated.driver);
  await barrier.put("a", value);
  gated.passed.length = 0;
  return { ...made, gated, barrier, clock: made.clock };
}

describe("the stored count", () => {
  test("is never below the entries sealed, whatever fails, dies, jumps or overtakes; and exact when nothing did", async () => {
    let [exactRuns, sealed] = [0, 0];
    const property = fc.asyncProperty(fc.scheduler(), commands, async (scheduler, given) => {
      const model = new MeterModel(scheduler);
      for (const command of given) {
        await model.run(command);
        model.check();
      }
      await model.finish();
      for (const done of model.sealed.values()) sealed += done;
      if (!model.exact) return;
      exactRuns += 1;
      expect(model.made.keyring().keys.map(({ encryptions }) => encryptions)).toEqual([model.sealed.get(1) ?? 0]);
    });
    await fc.assert(property, { numRuns: runs(150) });
    expect(exactRuns).toBeGreaterThan(0);
    expect(sealed).toBeGreaterThan(runs(150) * 10);
  });

  test("is exact once every node has stopped cleanly", async () => {
    const made = barrierStore();
    const nodes = await Promise.all([made.open(), made.open(), made.open()]);
    await Promise.all(
      nodes.flatMap((node, n) => Array.from({ length: 300 }, (_, i) => node.put(`p/${n}/${i}`, value))),
    );
    expect(made.count()).toBeGreaterThan(900);
    await Promise.all(nodes.map((node) => node.close()));
    expect(made.count()).toBe(900);
    const again = await made.open();
    expect((await again.keys.status()).encryptions).toBe(900);
    await again.close();
    expect(made.count()).toBe(900);
  });

  test("keeps the rest of a node that died", async () => {
    const made = barrierStore();
    await (await made.open()).put("a", value);
    const reserved = made.count();
    expect(reserved).toBeGreaterThanOrEqual(1);
    const next = await made.open();
    await next.put("b", value);
    await next.close();
    expect(made.count()).toBe(reserved + 1);
  });
});

describe("a block", () => {
  test("is taken by the first seal, not by opening, reading or listing", async () => {
    const made = barrierStore();
    const barrier = await made.open();
    await barrier.get("a");
    await barrier.list("");
    await barrier.delete("a");
    expect(made.count()).toBe(0);
    await barrier.put("a", value);
    expect(made.count()).toBeGreaterThan(0);
    expect(made.count()).toBeLessThanOrEqual(64);
  });

  test.each([
    ["both clocks", (clock: { advance(ms: number): void }) => clock.advance(5000)],
    ["the monotonic clock", (clock: { setMonotonic(ms: number): void }) => clock.setMonotonic(5000)],
    ["the wall clock", (clock: { setWall(ms: number): void }) => clock.setWall(5000)],
    ["the wall clock gone back", (clock: { setWall(ms: number): void }) => clock.setWall(-1)],
  ])("lapses by %s: the keyring is read before the next seal, once, and not written", async (_name, turn) => {
    const { gated, barrier, clock } = await startedNode();
    turn(clock);
    await barrier.put("b", value);
    await barrier.put("c", value);
    expect(gated.passed).toEqual([READ, "put b", "put c"]);
  });

  test("is believed for just under 5 s", async () => {
    const { gated, barrier, clock } = await startedNode();
    clock.advance(4999);
    await barrier.put("b", value);
    clock.advance(1);
    await barrier.put("c", value);
    expect(gated.passed).toEqual(["put b", READ, "put c"]);
  });

  test("is as old as the sending of the read that it rests on", async () => {
    const { gated, barrier, clock } = await startedNode();
    clock.advance(5000);
    gated.hold = (operation, key) => operation === "get" && key === KEYRING_PATH;
    const put = barrier.put("b", value);
    await gated.waiting();
    clock.advance(3000);
    gated.open();
    await put;
    clock.advance(2000);
    await barrier.put("c", value);
    expect(gated.passed).toEqual([READ, "put b", READ, "put c"]);
  });

  test("that lapsed while its read was under way is read again before it is used", async () => {
    const { gated, barrier, clock } = await startedNode();
    clock.advance(5000);
    gated.hold = (operation, key) => operation === "get" && key === KEYRING_PATH;
    const put = barrier.put("b", value);
    await gated.waiting();
    clock.advance(5000);
    gated.open();
    await put;
    expect(gated.passed).toEqual([READ, READ, "put b"]);
  });

  test("is forfeited when another node has rotated, and stays counted under its term", async () => {
    const { barrier, clock, rotate, keyring, store } = await startedNode();
    const reserved = keyring().keys[0]?.encryptions ?? 0;
    await rotate();
    await barrier.put("within 5 s", value);
    expect(splitFrame(store.get("within 5 s") ?? value).term).toBe(1);
    clock.advance(5000);
    await barrier.put("b", value);
    expect(splitFrame(store.get("b") ?? value).term).toBe(2);
    await barrier.close();
    expect(keyring().keys.map(({ encryptions }) => encryptions)).toEqual([reserved, 1]);
  });

  test("whose reservation failed is not used", async () => {
    const made = barrierStore();
    const gated = gate(made.driver);
    const barrier = await made.open(gated.driver);
    gated.fate = (_operation, key) =>
      key === KEYRING_PATH && gated.passed.at(-1) === WRITE ? "unknown, written" : "done";
    expect(await rejection(barrier.put("a", value))).toMatchObject({ code: "unknown-outcome" });
    expect(made.store.has("a")).toBe(false);
    const counted = made.count();
    gated.fate = () => "done";
    await barrier.put("a", value);
    await barrier.close();
    expect(made.count()).toBe(counted + 1);
  });
});

describe("the rest", () => {
  test("is given back once, also when the barrier is closed twice", async () => {
    const { gated, barrier, count } = await startedNode();
    await Promise.all([barrier.close(), barrier.close()]);
    await barrier.close();
    expect(gated.passed).toEqual([READ, WRITE]);
    expect(count()).toBe(1);
  });

  test("of a reservation that is under way is given back too", async () => {
    const { barrier, gated, count } = await startedNode();
    gated.hold = (operation, key) => operation === "swap" && key === KEYRING_PATH;
    // Until the next block is fetched in the background.
    let puts = 1;
    for (; !gated.passed.includes(READ); puts += 1) await barrier.put("b", value);
    await gated.waiting();
    const closed = barrier.close();
    await new Promise((resolve) => setImmediate(resolve));
    gated.open();
    await closed;
    expect(count()).toBe(puts);
  });

  test("is given back to the term that it came from, also when that was replaced", async () => {
    const { barrier, rotate, keyring } = await startedNode();
    await rotate();
    await barrier.close();
    expect(keyring().keys.map(({ encryptions }) => encryptions)).toEqual([1, 0]);
  });

  test("is given back to the new keyring when another node was faster", async () => {
    const { barrier, gated, open, keyring } = await startedNode();
    const other = await open();
    gated.hold = (operation, key) => operation === "swap" && key === KEYRING_PATH;
    const closed = barrier.close();
    await gated.waiting();
    await other.put("b", value);
    gated.open();
    await closed;
    await other.close();
    expect(keyring().keys[0]?.encryptions).toBe(2);
    expect(gated.passed).toEqual([READ, WRITE, READ, WRITE]);
  });

  test.each(["unknown, written", "unknown, not written"] as const)("is tried once when that is %s", async (fate) => {
    const { barrier, gated, count } = await startedNode();
    const reserved = count();
    gated.fate = (operation) => (operation === "swap" ? fate : "done");
    await rejection(barrier.close());
    await barrier.close().catch(() => undefined);
    expect(gated.passed).toEqual([READ, WRITE]);
    expect(count()).toBe(fate === "unknown, written" ? 1 : reserved);
  });

  test("is not given back to another history of the store, or to a keyring without its term", async () => {
    for (const change of [{ incarnation: "another" }, { terms: [] }]) {
      const { barrier, change: put, store, keyring } = await startedNode();
      await put((before) => ({
        ...before,
        ...change,
        ...("terms" in change && { terms: before.terms.map((term) => ({ ...term, term: 2 })) }),
      }));
      const before = [new Map(store), keyring()];
      await barrier.close().catch(() => undefined);
      expect([store, keyring()]).toEqual(before);
    }
  });
});

describe("key-status", () => {
  test("is exact when only this node works, at any moment", async () => {
    const made = barrierStore();
    const barrier = await made.open();
    for (let done = 0; done < 700; done += 1) {
      expect((await barrier.keys.status()).encryptions).toBe(done);
      await barrier.put(`p/${done}`, value);
      made.clock.advance(done % 90);
    }
  });

  test("waits for a reservation that is under way", async () => {
    const made = barrierStore();
    const gated = gate(made.driver);
    const barrier = await made.open(gated.driver);
    gated.hold = (operation, key) => operation === "swap" && key === KEYRING_PATH;
    const puts = Promise.all(Array.from({ length: 200 }, (_, i) => barrier.put(`p/${i}`, value)));
    await gated.waiting();
    const status = barrier.keys.status();
    gated.open();
    await puts;
    const { encryptions } = await status;
    expect(encryptions).toBeGreaterThanOrEqual(0);
    expect(encryptions).toBeLessThanOrEqual(200);
    expect((await barrier.keys.status()).encryptions).toBe(200);
  });

  test("is too high by the rests of other nodes, never too low", async () => {
    const made = barrierStore();
    const [one, two] = [await made.open(), await made.open()];
    for (let done = 2; done <= 400; done += 2) {
      await one.put(`one/${done}`, value);
      await two.put(`two/${done}`, value);
      const { encryptions } = await one.keys.status();
      expect(encryptions).toBeGreaterThanOrEqual(done);
      expect(encryptions).toBeLessThanOrEqual(made.count());
    }
    await two.close();
    expect((await one.keys.status()).encryptions).toBe(400);
  });
});

test.each([1, 5])(
  "at a constant high rate the keyring is written every few seconds (%d puts a millisecond)",
  async (rate) => {
    const { gated, barrier, clock } = await startedNode();
    const writes = () => gated.passed.filter((line) => line === WRITE).length;
    let warm = 0;
    for (let ms = 0; ms < 40_000; ms += 1) {
      if (ms === 10_000) warm = writes();
      clock.advance(1);
      for (let i = 0; i < rate; i += 1) await barrier.put("a", value);
      if (gated.passed.length > 1000)
        gated.passed.splice(0, gated.passed.length, ...gated.passed.filter((line) => line === WRITE));
    }
    expect(warm).toBeLessThan(12);
    expect(writes() - warm).toBeLessThanOrEqual(12);
  },
);
