/** Keys and shares are overwritten when they are no longer used: what was handed in, or decoded, is zeros afterwards. */
import { afterAll, afterEach, describe, expect, spyOn, test } from "bun:test";
import { KeyringStore } from "../core/barrier/keyring-store.ts";
import { randomBytes } from "../core/crypto.ts";
import { barrierStore } from "./barrier-store.ts";
import { rejection, startCoffer } from "./harness.ts";
import { ATTEMPT, must, openCeremony, softKey, UPDATE } from "./share-ceremony.ts";

const decoders = { fromHex: spyOn(Uint8Array, "fromHex"), fromBase64: spyOn(Uint8Array, "fromBase64") };
afterEach(() => {
  for (const spy of Object.values(decoders)) spy.mockClear();
});

const isWiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

afterAll(() => {
  for (const spy of Object.values(decoders)) spy.mockRestore();
});

/** All bytes of this length that were decoded from text in this test: the very arrays that the engine works with. */
function decoded(decoder: keyof typeof decoders, length: number): Uint8Array[] {
  const results = decoders[decoder].mock.results.map(({ value }): unknown => value);
  return results.filter((value) => value instanceof Uint8Array).filter((bytes) => bytes.length === length);
}

describe("root keys", () => {
  test("that the keyring is not sealed under are overwritten when it is opened, the one that is not", async () => {
    const { driver, rootKey } = barrierStore();
    const keys = [randomBytes(32), rootKey.slice(), randomBytes(32), rootKey.slice()];
    const keyring = await KeyringStore.open(driver, keys, () => undefined);
    expect(keys.map(isWiped)).toEqual([true, false, true, true]);
    expect(keyring.hasRootKey(rootKey)).toBe(true);
  });

  test("are all overwritten when none opens the keyring", async () => {
    const { driver } = barrierStore();
    const keys = [randomBytes(32), randomBytes(32)];
    expect(await rejection(KeyringStore.open(driver, keys, () => undefined))).toMatchObject({ code: "damaged" });
    expect(keys.map(isWiped)).toEqual([true, true]);
  });
});

test("the keys of a keyring are overwritten with it", async () => {
  const { driver, rootKey, rotate } = barrierStore();
  await rotate();
  const root = rootKey.slice();
  const keyring = await KeyringStore.open(driver, [root], () => undefined);
  const keys = [root, keyring.active.key, keyring.key(1) ?? new Uint8Array()];
  expect(keys.map((key) => [key.length, isWiped(key)])).toEqual(keys.map(() => [32, false]));
  keyring.wipe();
  expect(keys.map(isWiped)).toEqual([true, true, true]);
  expect(keyring.key(1)).toBeUndefined();
});

test("sealing overwrites every key that unsealing has decoded", async () => {
  await using server = await startCoffer();
  const { token, keys } = await server.initAndUnseal();
  await must(server.call("PUT", "sys/seal", { token }));
  decoders.fromBase64.mockClear();
  await server.unseal(keys);
  const found = decoded("fromBase64", 32);
  // The root key as it was unwrapped and as the keyring names it, and the key of a term.
  expect(found.length).toBeGreaterThanOrEqual(3);
  expect(found.some(isWiped)).toBe(false);
  await must(server.call("PUT", "sys/seal", { token }));
  expect(found.every(isWiped)).toBe(true);
});

describe("shares given towards unsealing", () => {
  async function sealedServer() {
    const server = await startCoffer();
    const { token, keys } = await server.initAndUnseal();
    await must(server.call("PUT", "sys/seal", { token }));
    decoders.fromHex.mockClear();
    const give = (key: string | undefined) => server.call("PUT", "sys/unseal", { body: { key } });
    return { server, keys, give };
  }
  const given = () => decoded("fromHex", 33).map(isWiped);

  test("are overwritten by a reset, and not before", async () => {
    const { server, keys, give } = await sealedServer();
    await using _ = server;
    for (const key of keys.slice(0, 2)) await must(give(key));
    expect(given()).toEqual([false, false]);
    await must(server.call("PUT", "sys/unseal", { body: { reset: true } }));
    expect(given()).toEqual([true, true]);
  });

  test("are overwritten when they have opened the store, and when they do not", async () => {
    const { server, keys, give } = await sealedServer();
    await using _ = server;
    for (const key of keys.slice(0, 2)) await must(give(key));
    const wrong = "11".repeat(32) + keys[2]?.slice(-2);
    expect((await give(wrong)).status).toBe(400);
    expect(given()).toEqual([true, true, true]);
    for (const key of keys.slice(0, 3)) await must(give(key));
    expect(given()).toEqual(Array(6).fill(true));
  });

  test("are overwritten at once when they are refused or were given already", async () => {
    const { server, keys, give } = await sealedServer();
    await using _ = server;
    await must(give(keys[0]));
    await must(give(keys[0]));
    expect((await give("11".repeat(32) + keys[0]?.slice(-2))).status).toBe(400);
    expect(given()).toEqual([false, true, true]);
  });
});

test("shares given to an attempt are overwritten when they were taken, used or refused", async () => {
  const alice = await softKey("alice");
  const { server, token, keys, give, call } = await openCeremony(alice, 3, 2);
  await using _ = server;
  await must(call("PUT", ATTEMPT, { token, body: { pgp_key: alice.armored } }));
  decoders.fromHex.mockClear();
  await must(give(keys[0]));
  expect((await give("11".repeat(33))).status).toBe(400);
  expect((await must(call("PUT", UPDATE, { body: { key: keys[1] } }))).body["complete"]).toBe(true);
  expect(decoded("fromHex", 33).map(isWiped)).toEqual([true, true, true]);
});
