import { describe, expect, test } from "bun:test";
import { createHmac, hkdfSync } from "node:crypto";
import * as fc from "fast-check";
import { Barrier } from "../core/barrier/barrier.ts";
import { createKeyring, KEYRING_PATH, sealKeyring } from "../core/barrier/keyring.ts";
import { randomBytes } from "../core/crypto.ts";
import { toBase64, utf8 } from "../core/encoding.ts";
import {
  createRegister,
  encodeRegister,
  fingerprint,
  freeCoordinate,
  readRegister,
  REGISTER_PATH,
} from "../core/seal/register.ts";
import { split } from "../core/seal/shamir.ts";
import { openMemory } from "../storage/memory.ts";
import { rejection, runs, testClock } from "./harness.ts";

const NOW = Date.parse("2026-01-02T03:04:05.678Z");

async function newBarrier(): Promise<Barrier> {
  const driver = openMemory();
  const rootKey = randomBytes(32);
  await driver.put(KEYRING_PATH, sealKeyring(createKeyring(rootKey, NOW)));
  return Barrier.open([rootKey], { driver, clock: testClock() });
}

describe("the register of shares", () => {
  test("has a coordinate, a commitment and a date for each share, and the fingerprint of the KEK", async () => {
    const numbers = fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 0, max: 30 }));
    const property = fc.asyncProperty(numbers, async ([threshold, more]) => {
      const kek = randomBytes(32);
      const shares = await split(kek, threshold + more, threshold);
      const register = createRegister(kek, shares, threshold, [], NOW);
      const commitmentKey = Uint8Array.fromBase64(register.commitment_key);
      expect(commitmentKey).toHaveLength(32);
      expect(register).toMatchObject({ format: 1, threshold, kek: referenceFingerprint(kek) });
      expect(register.shares).toEqual(
        shares.map((share) => ({
          x: share[32] ?? 0,
          commitment: createHmac("sha256", commitmentKey).update(share).digest("base64"),
          purpose: "init",
          issued: "2026-01-02T03:04:05.678Z",
        })),
      );
      expect(new Set(register.shares.map(({ x }) => x)).size).toBe(shares.length);
    });
    await fc.assert(property, { numRuns: runs(20) });
  });

  test("knows a single share, which has no coordinate", async () => {
    const kek = randomBytes(32);
    const register = createRegister(kek, await split(kek, 1, 1), 1, [], NOW);
    expect(register.shares.map(({ x }) => x)).toEqual([null]);
  });

  test("holds neither the KEK nor any share", async () => {
    const kek = randomBytes(32);
    const shares = await split(kek, 5, 3);
    const text = JSON.stringify(createRegister(kek, shares, 3, [], NOW));
    for (const secret of [kek, ...shares, ...shares.map((share) => share.subarray(0, 32))]) {
      expect(text).not.toContain(toBase64(secret).slice(0, 20));
      expect(text).not.toContain(secret.toHex().slice(0, 20));
    }
  });

  test("takes a fresh commitment key each time", async () => {
    const kek = randomBytes(32);
    const shares = await split(kek, 2, 2);
    const [a, b] = [0, 1].map(() => createRegister(kek, shares, 2, [], NOW));
    expect(a?.commitment_key === b?.commitment_key).toBe(false);
    expect(a?.kek === b?.kek).toBe(true);
  });

  test("is read as it was written; absent it is refused by its name", async () => {
    const barrier = await newBarrier();
    expect((await rejection(readRegister(barrier))).message).toContain("core/register is missing");
    const kek = randomBytes(32);
    const register = createRegister(kek, await split(kek, 5, 3), 3, [], NOW);
    await barrier.put(REGISTER_PATH, encodeRegister(register));
    expect((await readRegister(barrier)).register).toEqual(register);
  });

  test("that is newer or damaged is refused by its name, without its content", async () => {
    const barrier = await newBarrier();
    const kek = randomBytes(32);
    const register = createRegister(kek, await split(kek, 2, 2), 2, [], NOW);
    const [first, second] = register.shares;
    const others: readonly unknown[] = [
      { ...register, format: 2 },
      { ...register, format: "1" },
      { ...register, format: undefined },
      { ...register, threshold: 0 },
      { ...register, threshold: 256 },
      { ...register, commitment_key: undefined },
      { ...register, kek: 7 },
      { ...register, shares: {} },
      { ...register, shares: [first, { ...second, x: 0 }] },
      { ...register, shares: [first, { ...second, x: 256 }] },
      { ...register, shares: [first, { ...second, purpose: "unheard of" }] },
      [],
      null,
    ];
    for (const other of others) {
      await barrier.put(REGISTER_PATH, utf8(JSON.stringify(other)));
      const refused = await rejection(readRegister(barrier));
      expect(refused.message).toBe("core/register holds no register of shares that this version can read");
      expect(Bun.inspect(refused)).not.toContain(register.commitment_key);
    }
  });
});

describe("a free coordinate", () => {
  /** A register of `count` shares, at the coordinates from 1 on. */
  const registerOf = (count: number) => {
    const shares = Array.from({ length: count }, (_, index) => new Uint8Array(33).fill(index + 1));
    return createRegister(randomBytes(32), shares, 2, [], NOW);
  };

  // 200 free ones are the case in which a byte modulo their number would prefer the first 56.
  test.each([3, 55, 155, 253])("is any that was never issued, each as likely, when %d were", (count) => {
    const register = registerOf(count);
    const [free, each] = [255 - count, 100];
    const drawn = new Map<number, number>();
    for (let i = 0; i < free * each; i += 1) {
      const x = freeCoordinate(register) ?? 0;
      drawn.set(x, (drawn.get(x) ?? 0) + 1);
    }
    expect([...drawn.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: free }, (_, i) => count + 1 + i));
    // Chi-square: its mean is the number of the free ones less 1. Ten standard deviations do not come about by chance.
    const chiSquare = [...drawn.values()].reduce((sum, seen) => sum + (seen - each) ** 2 / each, 0);
    expect(chiSquare).toBeLessThan(free - 1 + 10 * Math.sqrt(2 * (free - 1)));
  });

  test("is none when all have been issued", () => {
    expect(freeCoordinate(registerOf(254))).toBe(255);
    expect(freeCoordinate(registerOf(255))).toBeUndefined();
  });
});

test("the fingerprint of a KEK is HKDF-SHA256, and one for each", () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const property = fc.property(key, key, (a, b) => {
    fc.pre(a.toHex() !== b.toHex());
    expect(fingerprint(a)).toBe(referenceFingerprint(a));
    expect(fingerprint(a) === fingerprint(b)).toBe(false);
  });
  fc.assert(property, { numRuns: runs(50) });
});

function referenceFingerprint(kek: Uint8Array): string {
  return Buffer.from(hkdfSync("sha256", kek, new Uint8Array(), "coffer kek fingerprint", 16)).toString("hex");
}
