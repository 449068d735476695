/** What a further share must prove before anybody relies on it. */
import { beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "../core/crypto.ts";
import { makeShare } from "../core/seal/new-share.ts";
import { parseRecipient } from "../core/seal/pgp.ts";
import { createRegister } from "../core/seal/register.ts";
import { ROOT_KEYS_PATH, wrapRootKeys } from "../core/seal/root-keys.ts";
import { split } from "../core/seal/shamir.ts";
import { barrierStore } from "./barrier-store.ts";
import { rejection, wrapDriver } from "./harness.ts";
import { type SoftKey, softKey } from "./share-ceremony.ts";

const REFUSED = "the shares given do not combine to the key of this coffer";

let alice: SoftKey;
beforeAll(async () => {
  alice = await softKey("alice");
});

/** A barrier whose root key is wrapped under a KEK, and two of three shares of it. */
async function coffer() {
  const { open, driver, clock, rootKey } = barrierStore();
  const kek = randomBytes(32);
  await driver.put(ROOT_KEYS_PATH, wrapRootKeys(kek, [rootKey]));
  const shares = await split(kek, 3, 2);
  const register = createRegister(kek, shares, 2, [], clock.now());
  const coordinates = new Set(shares.map((share) => share[32]));
  const x = [1, 2, 3, 4].find((free) => !coordinates.has(free)) ?? 0;
  const recipient = await parseRecipient(alice.armored, clock.now());
  return { driver, barrier: await open(), register, given: shares.slice(0, 2), x, recipient, now: clock.now() };
}

type Making = Parameters<typeof makeShare>[0];

/** The message with which no share was made. */
async function refusal(making: Making): Promise<string> {
  return (await rejection(makeShare(making))).message;
}

describe("a new share", () => {
  test("is made of a threshold of shares, for its recipient", async () => {
    const making = await coffer();
    using made = await makeShare(making);
    expect([made.share.length, made.share[32]]).toEqual([33, making.x]);
    expect(await alice.open(made.message.toBase64())).toBe(made.share.toHex());
    await made.confirm();
  });

  test("is refused when the register belongs to another KEK, though the shares open the root key", async () => {
    const making = await coffer();
    const other = createRegister(randomBytes(32), making.given, 2, [], making.now);
    expect(await refusal({ ...making, register: other })).toBe(REFUSED);
    const named = { ...making.register, kek: other.kek };
    expect(await refusal({ ...making, register: named })).toBe(REFUSED);
  });

  test("is refused when the shares fit the register and do not open the root key", async () => {
    const making = await coffer();
    const kek = randomBytes(32);
    const given = (await split(kek, 3, 2)).slice(0, 2);
    const [x = 0] = [1, 2, 3].filter((free) => given.every((share) => share[32] !== free));
    const register = createRegister(kek, given, 2, [], making.now);
    expect(await refusal({ ...making, given, x, register })).toBe(REFUSED);
  });

  test("is refused when they open a root key that is not this barrier's", async () => {
    const making = await coffer();
    const kek = randomBytes(32);
    const given = (await split(kek, 3, 2)).slice(0, 2);
    const [x = 0] = [1, 2, 3].filter((free) => given.every((share) => share[32] !== free));
    await making.driver.put(ROOT_KEYS_PATH, wrapRootKeys(kek, [randomBytes(32)]));
    const register = createRegister(kek, given, 2, [], making.now);
    expect(await refusal({ ...making, given, x, register })).toBe(REFUSED);
  });

  test("is not handed out when it would not give the key", async () => {
    const making = await coffer();
    // A fault in memory between the test of the key and the making of the share, which then lies on another polynomial.
    const driver = wrapDriver(making.driver, async (_operation, _key, act) => {
      const [first] = making.given;
      if (first !== undefined) first[7] = (first[7] ?? 0) ^ 1;
      return act();
    });
    expect(await refusal({ ...making, driver })).toBe("the new share does not give the key");
  });
});
