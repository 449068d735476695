import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { randomBytes } from "../core/crypto.ts";
import { combine, coordinateOf, isShare, split } from "../core/seal/shamir.ts";
import { rejection, runs } from "./harness.ts";

/** Multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, bit by bit. */
function times(a: number, b: number): number {
  let [product, shifted] = [0, a];
  for (let bit = 0; bit < 8; bit += 1) {
    if ((b >> bit) & 1) product ^= shifted;
    shifted = (shifted << 1) ^ (shifted & 0x80 ? 0x11b : 0);
  }
  return product;
}

/** a^254, the inverse: the multiplicative group has 255 elements. */
function inverse(a: number): number {
  let power = 1;
  for (let i = 0; i < 254; i += 1) power = times(power, a);
  return power;
}

/** The polynomials through `shares`, at 0, by Lagrange. */
function interpolate(shares: readonly Uint8Array[]): Uint8Array {
  const xs = shares.map((share) => share[32] ?? 0);
  const weights = xs.map((xi, i) =>
    xs.reduce((weight, xj, j) => (i === j ? weight : times(weight, times(xj, inverse(xi ^ xj)))), 1),
  );
  return Uint8Array.from({ length: 32 }, (_, at) =>
    shares.reduce((sum, share, i) => sum ^ times(share[at] ?? 0, weights[i] ?? 0), 0),
  );
}

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Threshold, number of shares, and which of them are taken, in which order. */
const choice = fc.tuple(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 0, max: 8 })).chain(([threshold, more]) =>
  fc.record({
    threshold: fc.constant(threshold),
    shares: fc.constant(threshold + more),
    taken: fc.shuffledSubarray(
      Array.from({ length: threshold + more }, (_, i) => i),
      { minLength: 2 },
    ),
  }),
);

function pick(shares: readonly Uint8Array[], taken: readonly number[]): Uint8Array[] {
  return taken.map((i) => shares[i] ?? new Uint8Array());
}

describe("split and combine", () => {
  test("any threshold of shares gives the key, any fewer does not", async () => {
    const property = fc.asyncProperty(key, choice, async (secret, { threshold, shares, taken }) => {
      const some = pick(await split(secret, shares, threshold), taken);
      const combined = await combine(some);
      // Below the threshold the key comes out by chance only, once in 2^256.
      expect(combined.toHex() === secret.toHex()).toBe(taken.length >= threshold);
      expect(combined.toHex()).toBe(interpolate(some).toHex());
    });
    await fc.assert(property, { numRuns: runs(60) });
  });

  test("every subset of 3 of 5", async () => {
    const secret = randomBytes(32);
    const shares = await split(secret, 5, 3);
    const subsets = Array.from({ length: 32 }, (_, set) => [0, 1, 2, 3, 4].filter((i) => (set >> i) & 1));
    for (const subset of subsets.filter(({ length }) => length >= 2))
      expect((await combine(pick(shares, subset))).toHex() === secret.toHex()).toBe(subset.length >= 3);
  });

  test.each([
    [255, 2],
    [255, 255],
  ])("%d shares, threshold %d", async (shares, threshold) => {
    const secret = randomBytes(32);
    const made = await split(secret, shares, threshold);
    expect(new Set(made.map(coordinateOf)).size).toBe(shares);
    expect(made.every(isShare)).toBe(true);
    expect(await combine(made.slice(-threshold))).toEqual(secret);
  });

  test("agrees with bit-wise arithmetic on any shares, also such as no split made", async () => {
    const share = fc.tuple(key, fc.integer({ min: 1, max: 255 }));
    const shares = fc.uniqueArray(share, { selector: ([, x]) => x, minLength: 2, maxLength: 9 });
    const property = fc.asyncProperty(shares, async (made) => {
      const given = made.map(([y, x]) => Uint8Array.from([...y, x]));
      expect((await combine(given)).toHex()).toBe(interpolate(given).toHex());
    });
    await fc.assert(property, { numRuns: runs(100) });
  });

  test("one share of one is a copy of the key itself", async () => {
    const secret = randomBytes(32);
    const [share] = await split(secret, 1, 1);
    expect(share).toEqual(secret);
    secret.fill(0);
    expect(share).not.toEqual(secret);
  });

  test("takes and gives no Buffer, and leaves what it was given alone", async () => {
    const secret = Buffer.from(randomBytes(32));
    const shares = await split(new Uint8Array(secret), 3, 2);
    const buffers = shares.map((share) => Buffer.from(share));
    const combined = await combine(buffers);
    expect(combined.toHex()).toBe(secret.toString("hex"));
    expect([combined, ...shares].some((bytes) => Buffer.isBuffer(bytes))).toBe(false);
    expect(buffers.map((buffer) => buffer.toString("hex"))).toEqual(shares.map((share) => share.toHex()));
  });
});

describe("guards", () => {
  const share = (x: number, length = 33) => Uint8Array.from([...randomBytes(length - 1), x]);

  test("combine refuses x = 0, an x twice, other lengths, and fewer than two", async () => {
    const form = "a share has 33 bytes and an x other than 0";
    const refused: readonly (readonly [Uint8Array[], string])[] = [
      [[share(0), share(1)], form],
      [[share(1), share(2), share(0)], form],
      [[share(1), share(2, 32)], form],
      [[share(1), share(2, 34)], form],
      [[share(7, 34), share(8, 34)], form],
      [[share(1), new Uint8Array()], form],
      [[share(1), share(1)], "two shares have the same x"],
      [[share(1), share(2), share(1)], "two shares have the same x"],
      [[share(1)], "fewer than two shares"],
      [[], "fewer than two shares"],
    ];
    for (const [shares, why] of refused) expect((await rejection(combine(shares))).message).toContain(why);
  });

  test.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [1, 2],
    [3, 4],
    [256, 2],
    [300, 300],
    [2.5, 2],
  ])("split refuses %d shares with a threshold of %d", async (shares, threshold) => {
    await rejection(split(randomBytes(32), shares, threshold));
  });

  test.each([0, 16, 31, 33])("split refuses a key of %d bytes", async (length) => {
    expect((await rejection(split(new Uint8Array(length), 5, 3))).message).toBe("a key has 32 bytes");
  });

  test("what is a share, and its coordinate", () => {
    expect([share(1), share(255)].every(isShare)).toBe(true);
    expect([share(0), share(1, 32), share(1, 34), new Uint8Array()].some(isShare)).toBe(false);
    expect(coordinateOf(share(200))).toBe(200);
    expect(() => coordinateOf(new Uint8Array())).toThrow();
  });
});
