/** A further share of a key that is in nobody's hands: one more point of polynomials that only their shares know. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { randomBytes } from "../core/crypto.ts";
import { combine, coordinateOf, extend, isShare, split } from "../core/seal/shamir.ts";
import { rejection, runs } from "./harness.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Threshold, how many more shares than that, and which number among the free coordinates the new one has. */
const settings = fc.record({
  threshold: fc.integer({ min: 2, max: 12 }),
  more: fc.integer({ min: 0, max: 10 }),
  seed: fc.integer({ min: 0, max: 1_000_000 }),
});

function freeOf(shares: readonly Uint8Array[]): number[] {
  const issued = new Set(shares.map(coordinateOf));
  return Array.from({ length: 255 }, (_each, index) => index + 1).filter((x) => !issued.has(x));
}

/** `count` of `shares`, others for each seed. */
function pick(shares: readonly Uint8Array[], count: number, seed: number): Uint8Array[] {
  const left = [...shares];
  return Array.from({ length: count }, (_each, index) => left.splice((seed * 31 + index * 17) % left.length, 1)).flat();
}

describe("extend", () => {
  test("the new share is worth any other: each threshold of a mix gives the key, each smaller number does not", async () => {
    const property = fc.asyncProperty(key, settings, async (secret, { threshold, more, seed }) => {
      const shares = await split(secret, threshold + more, threshold);
      const free = freeOf(shares);
      const x = free[seed % free.length] ?? 0;
      const added = await extend(pick(shares, threshold, seed), x);
      expect(isShare(added)).toBe(true);
      expect(coordinateOf(added)).toBe(x);
      const others = pick(shares, threshold - 1, seed + 1);
      expect((await combine([...others, added])).toHex()).toBe(secret.toHex());
      expect((await combine([added, ...others])).toHex()).toBe(secret.toHex());
      if (threshold > 2) {
        const tooFew = await combine([added, ...others.slice(1)]);
        expect(tooFew.toHex() === secret.toHex()).toBe(false);
      }
    });
    await fc.assert(property, { numRuns: runs(60) });
  });

  test("which shares it is made from does not matter: the point is the same", async () => {
    const secret = randomBytes(32);
    const shares = await split(secret, 6, 3);
    const [x = 0] = freeOf(shares);
    const made = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((seed) => extend(pick(shares, 3, seed), x)));
    expect(new Set(made.map((share) => share.toHex())).size).toBe(1);
  });

  test("a share that exists is made again, byte for byte, from others", async () => {
    const property = fc.asyncProperty(key, settings, async (secret, { threshold, more, seed }) => {
      const shares = await split(secret, threshold + more + 1, threshold);
      const [wanted, ...rest] = shares;
      if (wanted === undefined) throw new Error("no share");
      expect((await extend(pick(rest, threshold, seed), coordinateOf(wanted))).toHex()).toBe(wanted.toHex());
    });
    await fc.assert(property, { numRuns: runs(40) });
  });

  test("at every coordinate that is free", async () => {
    const secret = randomBytes(32);
    const shares = await split(secret, 3, 2);
    const first = shares.slice(0, 2);
    const all = [...shares];
    for (const x of freeOf(shares)) all.push(await extend(first, x));
    expect(new Set(all.map(coordinateOf)).size).toBe(255);
    for (let at = 0; at < 255; at += 1) {
      const two = [all[at], all[(at + 100) % 255]].filter((share) => share !== undefined);
      expect((await combine(two)).toHex()).toBe(secret.toHex());
    }
  });

  test("leaves the shares it is given as they are, and gives no Buffer", async () => {
    const shares = await split(randomBytes(32), 3, 3);
    const before = shares.map((share) => share.toHex());
    const [x = 0] = freeOf(shares);
    const added = await extend(
      shares.map((share) => Buffer.from(share)),
      x,
    );
    expect(Buffer.isBuffer(added)).toBe(false);
    expect(shares.map((share) => share.toHex())).toEqual(before);
  });

  test("refuses an x that one of the shares has, 0, and what combine refuses", async () => {
    const shares = await split(randomBytes(32), 3, 2);
    const [first, second] = shares;
    if (first === undefined || second === undefined) throw new Error("no shares");
    const [x = 0] = freeOf(shares);
    const taken = "a share with this x is among those given";
    expect((await rejection(extend([first, second], coordinateOf(second)))).message).toBe(taken);
    for (const given of [[], [first], [first, first], [first, second.subarray(1)]]) {
      expect((await rejection(extend(given, x))).message).not.toBe(taken);
    }
    for (const wrong of [0, 256, -1, 1.5, Number.NaN]) {
      expect((await rejection(extend([first, second], wrong))).message).toBe("an x coordinate is 1 to 255");
    }
  });
});
