/** Rotation by itself: after so many encryptions, at an age, and as long as the keyring has room. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { Unknown } from "../storage/driver.ts";
import { memoryOver } from "./harness.ts";
import { aroundSwaps, start } from "./rotation-server.ts";
import { splitFrame } from "./vault-format.ts";

setDefaultTimeout(30_000);

const HOUR = 3_600_000;
const MAX_OPERATIONS = 3_865_470_566;

/** Term → how many entries of the kv engine are stored under it. */
function perTerm(store: ReadonlyMap<string, Uint8Array>): Map<number, number> {
  const found = new Map<number, number>();
  for (const [path, frame] of store) {
    if (!path.startsWith("logical/")) continue;
    const { term } = splitFrame(frame);
    found.set(term, (found.get(term) ?? 0) + 1);
  }
  return found;
}

describe("by count", () => {
  test.each([1, 2, 10, 63, 64, 65, 100, 1000])(
    "every term is used exactly %d times before it is replaced",
    async (bound) => {
      await using server = await start({ minOperations: 1 });
      await server.configure({ max_operations: bound });
      await server.ask("POST", "sys/rotate");
      const first = server.keyring().keys.length;
      const names = Array.from({ length: Math.min(bound * 20, 3000) }, (_, index) => `n-${index}`);
      if (bound < 64) for (const name of names) await server.put(name);
      else await Promise.all(names.map((name) => server.put(name)));
      const used = perTerm(server.store);
      for (const { term, encryptions } of server.keyring().keys.slice(first - 1)) {
        expect(encryptions).toBeLessThanOrEqual(bound);
        expect(encryptions).toBeGreaterThanOrEqual(used.get(term) ?? 0);
      }
      // On one node nothing is forfeited: all terms but the last are full, of writes that were made.
      const full = server.keyring().keys.slice(first, -1);
      for (const { term, encryptions } of full) expect([encryptions, used.get(term)]).toEqual([bound, bound]);
      expect(full.length).toBeGreaterThanOrEqual(Math.floor(names.length / bound) - 2);
      for (const name of names.slice(0, 50)) expect(await server.read(name)).toEqual({ name });
    },
  );

  test("two servers share one bound", async () => {
    await using server = await start();
    await using other = await server.beside();
    await server.configure({ max_operations: 100 });
    const { token } = server.known;
    for (let i = 0; i < 300; i += 1) {
      await server.put(`one-${i}`);
      expect((await other.call("PUT", `kv/two-${i}`, { token, body: { i } })).status).toBe(204);
    }
    for (const { encryptions } of server.keyring().keys) expect(encryptions).toBeLessThanOrEqual(100);
    for (let i = 0; i < 300; i += 50) {
      expect((await other.call("GET", `kv/one-${i}`, { token })).body["data"]).toEqual({ name: `one-${i}` });
      expect(await server.read(`two-${i}`)).toEqual({ i });
    }
  });

  test("a bound set at or below the count rotates at once, one above it does not", async () => {
    await using server = await start();
    for (let i = 0; i < 30; i += 1) await server.put(`a-${i}`);
    const reserved = server.keyring().keys[0]?.encryptions ?? 0;
    await server.configure({ max_operations: reserved + 1 });
    expect((await server.status()).term).toBe(1);
    await server.configure({ max_operations: reserved });
    expect(await server.status()).toMatchObject({ term: 2, encryptions: 0 });
    await server.put("b");
    expect(server.termOf("b")).toBe(2);
  });

  test("a block that another server holds may be used up after the bound was lowered, within 5 s", async () => {
    await using server = await start();
    await using other = await server.beside();
    await server.put("a");
    await other.call("POST", "sys/rotate/config", { token: server.known.token, body: { max_operations: 10 } });
    await server.put("b");
    server.clock.advance(5000);
    await server.put("c");
    expect(["a", "b", "c"].map(server.termOf)).toEqual([1, 1, 2]);
  });

  test("goes on counting while it is off, and rotates at once when it is on again", async () => {
    await using server = await start();
    await server.configure({ enabled: false, max_operations: 20 });
    for (let i = 0; i < 200; i += 1) await server.put(`a-${i}`);
    const { term, encryptions } = await server.status();
    expect(term).toBe(1);
    expect(encryptions).toBeGreaterThanOrEqual(200);
    expect(encryptions).toBeLessThan(230);
    await server.configure({ enabled: true });
    expect((await server.status()).term).toBe(2);
  });
});

describe("by age", () => {
  test("within a minute while the server runs, and not before the time", async () => {
    await using server = await start();
    await server.configure({ interval: "24h" });
    await server.clock.pass(23 * HOUR + 59 * 60_000 + 59_000);
    expect((await server.status()).term).toBe(1);
    await server.clock.pass(30_000);
    await server.clock.pass(30_000);
    expect((await server.status()).term).toBe(2);
    await server.clock.pass(60_000);
    await server.clock.pass(60_000);
    expect((await server.status()).term).toBe(2);
  });

  test("at the next unseal, when it was sealed meanwhile; and once, by however many servers", async () => {
    await using server = await start();
    await server.configure({ interval: "24h" });
    await server.put("a");
    await server.ask("PUT", "sys/seal");
    server.clock.advance(25 * HOUR);
    await Promise.all([
      server.unseal(server.known.keys),
      server.beside().then((other) => other[Symbol.asyncDispose]()),
    ]);
    expect((await server.status()).term).toBe(2);
    expect(await server.read("a")).toEqual({ name: "a" });
  });

  test("after the unseal, when the disk is full at that moment", async () => {
    let isFull = false;
    const before = () => {
      if (isFull) throw new Unknown("the disk is full");
    };
    await using server = await start({ driver: aroundSwaps({ before }) });
    await server.configure({ interval: "24h" });
    await server.put("a");
    await server.ask("PUT", "sys/seal");
    server.clock.advance(25 * HOUR);
    isFull = true;
    await server.unseal(server.known.keys);
    expect(await server.read("a")).toEqual({ name: "a" });
    expect((await server.status()).term).toBe(1);
    expect(server.log.lines.join("\n")).toContain("the encryption key is due for rotation");
    isFull = false;
    await server.clock.pass(60_000);
    expect((await server.status()).term).toBe(2);
  });

  test("at once when the interval that is set has passed already, also when it is enabled again", async () => {
    await using server = await start();
    await server.configure({ enabled: false, interval: "24h" });
    await server.clock.pass(30 * HOUR);
    expect((await server.status()).term).toBe(1);
    await server.configure({ enabled: true });
    expect((await server.status()).term).toBe(2);
    server.clock.setWall(30 * HOUR);
    await server.configure({ interval: "25h" });
    expect((await server.status()).term).toBe(3);
  });

  test("not at all without an interval", async () => {
    await using server = await start();
    await server.clock.pass(10_000 * HOUR);
    expect((await server.status()).term).toBe(1);
  });

  test("of a term from the future: once its time has come and the interval has passed", async () => {
    await using server = await start();
    await server.configure({ interval: "24h" });
    server.clock.setWall(1000 * HOUR);
    await server.ask("POST", "sys/rotate");
    server.clock.setWall(-1000 * HOUR);
    const { term } = await server.status();
    await server.put("a");
    expect(server.termOf("a")).toBe(term);
    for (const [hours, expected] of [
      [1000, term],
      [23, term],
      [1, term + 1],
    ] as const) {
      await server.clock.pass(hours * HOUR);
      expect((await server.status()).term).toBe(expected);
    }
  });
});

describe("a keyring that has grown", () => {
  const small = (store: Map<string, Uint8Array>) => ({ ...memoryOver(store), maxValue: 8192 });

  test("to half of what it may be has the default bound in force, and key-status says so", async () => {
    await using server = await start({ driver: small });
    await server.configure({ max_operations: 10 });
    let [terms, size] = [0, 0];
    for (let i = 0; i < 400; i += 1) {
      const before = server.store.get(KEYRING_PATH)?.length ?? 0;
      await server.put(`a-${i}`);
      const { body } = await server.ask("GET", "sys/key-status");
      size = server.store.get(KEYRING_PATH)?.length ?? 0;
      if (size < 4096) expect(body["warnings"]).toBeNull();
      if (before >= 4096) expect(body["warnings"]).toEqual([expect.stringContaining("half full")]);
      terms = server.keyring().keys.length;
    }
    expect(size).toBeGreaterThanOrEqual(4096);
    expect(size).toBeLessThan(4096 + 300);
    await server.configure({ max_operations: 20 });
    for (let i = 0; i < 100; i += 1) await server.put(`b-${i}`);
    expect(server.keyring().keys.length).toBe(terms);
    expect(server.keyring().keys.at(-1)?.encryptions).toBeGreaterThan(100);
    expect(await server.config()).toMatchObject({ max_operations: 20 });
  });

  test("to all of it refuses another term; writes, settings and unsealing go on", async () => {
    await using server = await start({ driver: small });
    let answer = await server.ask("POST", "sys/rotate");
    let rotations = 0;
    for (; answer.status === 204 && rotations < 100; rotations += 1) answer = await server.ask("POST", "sys/rotate");
    expect(answer).toMatchObject({
      status: 500,
      body: { errors: [expect.stringContaining("no room for another term")] },
    });
    expect(rotations).toBeGreaterThan(30);
    for (let i = 0; i < 2000; i += 1) await server.put(`a-${i % 10}`);
    await server.configure({ interval: "2562047h", max_operations: MAX_OPERATIONS - 1 });
    await server.configure({ interval: "24h" });
    await server.ask("PUT", "sys/seal");
    server.clock.advance(30 * HOUR);
    await server.unseal(server.known.keys);
    await server.put("b");
    expect(await server.read("b")).toEqual({ name: "b" });
    expect(server.log.lines.filter((line) => line.includes("could not be checked"))).toEqual([]);
  });
});

test("a term is added only where counting can go on after it", async () => {
  let driver = memoryOver(new Map());
  await using server = await start({ driver: (store) => (driver = memoryOver(store)) });
  for (let i = 0; i < 30; i += 1) await server.ask("POST", "sys/rotate");
  const answers = new Set<number>();
  for (let room = 140; room < 440; room += 5) {
    await server.configure({ interval: 0, max_operations: 1000 });
    await server.ask("PUT", "sys/seal");
    Object.assign(driver, { maxValue: (server.store.get(KEYRING_PATH)?.length ?? 0) + room });
    await server.unseal(server.known.keys);
    answers.add((await server.ask("POST", "sys/rotate")).status);
    for (let i = 0; i < 20; i += 1) await server.put("a");
    await server.configure({ interval: "2562047h", max_operations: MAX_OPERATIONS - 1 });
    for (let i = 0; i < 100; i += 1) await server.put("a");
  }
  expect(answers).toEqual(new Set([204, 500]));
});

test("a rest is not given back to a copy that was put back from before it was reserved", async () => {
  await using server = await start();
  const copy = server.store.get(KEYRING_PATH);
  const counted = server.keyring().keys[0]?.encryptions ?? 0;
  for (let i = 0; i < 5000; i += 1) await server.put("b");
  const { encryptions } = await server.status();
  expect((server.keyring().keys[0]?.encryptions ?? 0) - encryptions).toBeGreaterThan(counted);
  if (copy !== undefined) server.store.set(KEYRING_PATH, copy);
  await server.ask("PUT", "sys/seal");
  expect(server.keyring().keys[0]?.encryptions).toBe(counted);
  await server.unseal(server.known.keys);
  expect(await server.read("b")).toEqual({ name: "b" });
});
