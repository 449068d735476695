/** What holds however many shares were made, and by whom: any threshold of them opens the coffer, fewer never do. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import * as fc from "fast-check";
import type { Register } from "../core/seal/register.ts";
import { combine } from "../core/seal/shamir.ts";
import { runs } from "./harness.ts";
import { countOf, generateShare, openCeremony, openNode, registerIn, type SoftKey, softKey } from "./share-ceremony.ts";

setDefaultTimeout(120_000);

let recipient: SoftKey;
beforeAll(async () => void (recipient = await softKey()));

const key = async (shares: readonly string[]) =>
  (await combine(shares.map((share) => Uint8Array.fromHex(share)))).toHex();
const coordinates = (shares: readonly string[]) => shares.map((share) => Number.parseInt(share.slice(-2), 16));

/** Every share is in the register, with the commitment that belongs to it, and no coordinate twice. */
function checkRegister(register: Register, shares: readonly string[]): void {
  expect(register.shares.map(({ x }) => x)).toEqual(coordinates(shares));
  expect(new Set(coordinates(shares)).size).toBe(shares.length);
  const commitmentKey = Buffer.from(register.commitment_key, "base64");
  for (const [index, share] of shares.entries()) {
    const commitment = createHmac("sha256", commitmentKey).update(Buffer.from(share, "hex")).digest("base64");
    expect(register.shares[index]?.commitment).toBe(commitment);
  }
}

test("any t, any n, any mix of old and new shares", async () => {
  const settings = fc.record({
    threshold: fc.integer({ min: 2, max: 9 }),
    more: fc.integer({ min: 0, max: 12 }),
    added: fc.integer({ min: 1, max: 5 }),
    seed: fc.infiniteStream(fc.nat()),
  });
  const property = fc.asyncProperty(settings, async ({ threshold, more, added, seed }) => {
    const { server, store, token, keys, clock } = await openCeremony(recipient, threshold + more, threshold);
    await using _ = server;
    const pick = (from: readonly string[], count: number) => {
      const left = [...from];
      return Array.from({ length: count }, () => left.splice((seed.next().value ?? 0) % left.length, 1)).flat();
    };
    const shares = [...keys];
    const secret = await key(keys.slice(0, threshold));
    const made: { readonly by: readonly string[] }[] = [];
    for (let round = 0; round < added; round += 1) {
      // New shares take part in making newer ones.
      const by = pick(shares, threshold);
      shares.push(await generateShare(server, token, by, recipient));
      made.push({ by });
      expect(await countOf(server)).toBe(shares.length);
    }
    const register = await registerIn(store, pick(shares, threshold));
    checkRegister(register, shares);
    for (const [index, { by }] of made.entries()) {
      const entry = register.shares[keys.length + index];
      expect(entry).toMatchObject({ purpose: "generate-share", recipient: recipient.fingerprint, by: coordinates(by) });
    }
    for (let round = 0; round < 5; round += 1) {
      expect(await key(pick(shares, threshold))).toBe(secret);
      if (threshold > 2) expect((await key(pick(shares, threshold - 1))) === secret).toBe(false);
    }
    await using _node = await openNode(store, pick(shares, threshold), clock);
  });
  await fc.assert(property, { numRuns: runs(12) });
});

test("200 shares in a row, each made by others, up to the last coordinate", async () => {
  const { server, store, token, keys, clock } = await openCeremony(recipient, 55, 3);
  await using _ = server;
  const secret = await key(keys.slice(0, 3));
  const shares = [...keys];
  for (let round = 0; round < 200; round += 1) {
    const by = [shares.length - 1, (round * 7) % (shares.length - 1), 0].map((at) => shares[at] ?? "");
    shares.push(await generateShare(server, token, [...new Set(by)].concat(shares[1] ?? "").slice(0, 3), recipient));
  }
  expect(shares).toHaveLength(255);
  expect(await countOf(server)).toBe(255);
  checkRegister(await registerIn(store, shares.slice(-3)), shares);
  for (let at = 0; at < 255; at += 1) {
    const three = [0, 85, 170].map((step) => shares[(at + step) % 255] ?? "");
    expect(await key(three)).toBe(secret);
    expect((await key(three.slice(1))) === secret).toBe(false);
  }
  for (const from of [53, 150, 252]) {
    await using _node = await openNode(store, shares.slice(from, from + 3), clock);
  }
  // Fewer than a threshold leave it sealed, whichever they are.
  await using node = await openNode(store, keys.slice(0, 3), clock);
  await node.call("PUT", "sys/seal", { token });
  for (const share of shares.slice(100, 102)) {
    expect((await node.call("PUT", "sys/unseal", { body: { key: share } })).body["sealed"]).toBe(true);
  }
});
