import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { ROOT_KEYS_PATH, unwrapRootKeys } from "../core/seal/root-keys.ts";
import { SEAL_CONFIG_PATH } from "../core/seal/seal-config.ts";
import { combine } from "../core/seal/shamir.ts";
import type { Driver } from "../storage/driver.ts";
import { memoryOver, startCoffer, testClock, type TestServer } from "./harness.ts";
import { openFrame, readKeyring, splitFrame } from "./vault-format.ts";

const RAW = [KEYRING_PATH, ROOT_KEYS_PATH, SEAL_CONFIG_PATH];

let store: Map<string, Uint8Array>;
/** Entries that any engine has sealed, whether they were stored or lost a swap. */
let sealed: number;
let servers: [TestServer, TestServer];
let token: string;
let rootKey: Uint8Array;

function count(): number {
  return readKeyring(rootKey, store.get(KEYRING_PATH) ?? new Uint8Array()).keys[0]?.encryptions ?? 0;
}

/** A driver over the shared store that counts what was sealed, and looks at the stored count each time. */
function watched(): Driver {
  const driver = memoryOver(store, false);
  const saw = (key: string, value: Uint8Array | undefined) => {
    if (value === undefined || RAW.includes(key)) return;
    sealed += 1;
    if (rootKey.length > 0 && count() < sealed) throw new Error(`${sealed} sealed, ${count()} stored`);
  };
  return {
    ...driver,
    put: (key, value) => (saw(key, value), driver.put(key, value)),
    swap: (key, was, value) => (saw(key, value), driver.swap(key, was, value)),
  };
}

beforeEach(async () => {
  [store, sealed, rootKey] = [new Map(), 0, new Uint8Array()];
  const clock = testClock();
  servers = [await startCoffer({ driver: watched(), clock }), await startCoffer({ driver: watched(), clock })];
  const made = await servers[0].initAndUnseal();
  await servers[1].unseal(made.keys);
  ({ token } = made);
  const kek = await combine(made.keys.slice(0, 3).map((key) => Uint8Array.fromHex(key)));
  [rootKey = rootKey] = unwrapRootKeys(kek, store.get(ROOT_KEYS_PATH) ?? new Uint8Array());
});

/** After each test: both stop cleanly, and then the stored count is exactly what was sealed. */
afterEach(async () => {
  expect(count()).toBeGreaterThanOrEqual(sealed);
  for (const server of servers) await server[Symbol.asyncDispose]();
  expect(count()).toBe(sealed);
  const key = readKeyring(rootKey, store.get(KEYRING_PATH) ?? new Uint8Array()).keys[0]?.value ?? new Uint8Array();
  for (const [path, frame] of store) {
    if (RAW.includes(path)) continue;
    expect(splitFrame(frame).term).toBe(1);
    openFrame(key, path, frame);
  }
  const log = servers.flatMap((server) => server.log.lines);
  expect(log.filter((line) => line.includes('"level":"error"') || line.includes('"level":"warn"'))).toEqual([]);
});

describe("two engines over one store", () => {
  test("read what the other wrote, to the same and to different paths, written at once", async () => {
    const [one, two] = servers;
    await one.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    const work = Array.from({ length: 300 }, async (_, i) => {
      const server = i % 2 === 0 ? one : two;
      const other = i % 2 === 0 ? two : one;
      expect((await server.call("PUT", `kv/own/${i}`, { token, body: { i } })).status).toBe(204);
      expect((await server.call("PUT", `kv/shared/${i % 5}`, { token, body: { i } })).status).toBe(204);
      expect((await other.call("GET", `kv/own/${i}`, { token })).body["data"]).toEqual({ i });
      if (i % 50 === 0) server.clock.advance(900);
      if (i % 20 === 0) {
        const { encryptions } = (await server.call("GET", "sys/key-status", { token })).body;
        expect(Number(encryptions)).toBeLessThanOrEqual(count());
      }
    });
    await Promise.all(work);
    for (let i = 0; i < 5; i += 1) {
      const answers = await Promise.all(servers.map((server) => server.call("GET", `kv/shared/${i}`, { token })));
      expect(answers[0]?.status).toBe(200);
      expect(answers[0]?.body["data"]).toEqual(answers[1]?.body["data"] ?? {});
    }
    const lists = await Promise.all(servers.map((server) => server.call("LIST", "kv/own", { token })));
    for (const { body } of lists) expect((body["data"] as { keys: string[] }).keys).toHaveLength(300);
    expect(sealed).toBeGreaterThan(600);
  });

  test("see each other's mounts at once: made, tuned, removed", async () => {
    const [one, two] = servers;
    for (let i = 0; i < 10; i += 1) {
      const [here, there] = i % 2 === 0 ? [one, two] : [two, one];
      expect((await here.call("POST", "sys/mounts/m", { token, body: { type: "kv" } })).status).toBe(204);
      expect((await there.call("PUT", "m/a", { token, body: { i } })).status).toBe(204);
      expect((await here.call("GET", "m/a", { token })).body["data"]).toEqual({ i });
      await there.call("POST", "sys/mounts/m/tune", { token, body: { default_lease_ttl: 100 + i } });
      expect((await here.call("GET", "m/a", { token })).body["lease_duration"]).toBe(100 + i);
      expect((await there.call("DELETE", "sys/mounts/m", { token })).status).toBe(204);
      expect((await here.call("GET", "m/a", { token })).status).toBe(404);
    }
    expect([...store.keys()].filter((path) => path.startsWith("logical/"))).toEqual([]);
  });

  test("refuse a token that the other revoked, and its children, at once", async () => {
    const [one, two] = servers;
    const create = async (server: TestServer, by: string) => {
      const { body } = await server.call("POST", "auth/token/create", { token: by });
      return (body["auth"] as { client_token: string }).client_token;
    };
    for (let i = 0; i < 10; i += 1) {
      const [here, there] = i % 2 === 0 ? [one, two] : [two, one];
      const parent = await create(here, token);
      const children = await Promise.all([create(here, parent), create(there, parent), create(there, parent)]);
      const held = [parent, ...children];
      const statuses = (server: TestServer) =>
        Promise.all(held.map(async (by) => (await server.call("GET", "auth/token/lookup-self", { token: by })).status));
      expect(await statuses(here)).toEqual([200, 200, 200, 200]);
      expect(await statuses(there)).toEqual([200, 200, 200, 200]);
      expect((await here.call("POST", "auth/token/revoke-self", { token: parent })).status).toBe(204);
      expect(await statuses(there)).toEqual([403, 403, 403, 403]);
      expect(await statuses(here)).toEqual([403, 403, 403, 403]);
    }
  });

  test("are sealed each on its own", async () => {
    const [one, two] = servers;
    await one.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    expect((await one.call("PUT", "sys/seal", { token })).status).toBe(204);
    expect((await one.call("GET", "kv/a", { token })).status).toBe(503);
    expect((await two.call("PUT", "kv/a", { token, body: { a: 1 } })).status).toBe(204);
  });
});
