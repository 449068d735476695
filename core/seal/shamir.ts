/**
 * Shamir's secret sharing over GF(2^8), in Vault's format: one random polynomial for each byte of the secret; a share is
 * all its y values followed by its one x coordinate.
 *
 * The arithmetic is `shamir-secret-sharing` (audited twice). It is guarded here, because it lets x = 0 through, which
 * would return the forger's own bytes as the secret, and takes no subclass of Uint8Array.
 */
import { combine as combineShares, split as splitSecret } from "shamir-secret-sharing";
import { KEY_BYTES } from "../crypto.ts";

/** The y values of a key, and x. */
export const SHARE_BYTES = KEY_BYTES + 1;
export const MAX_SHARES = 255;

/** The x coordinate of a share. It is no secret. */
export function coordinateOf(share: Uint8Array): number {
  const x = share.at(-1);
  if (x === undefined) throw new Error("a share has at least one byte");
  return x;
}

/**
 * Splits `key` (32 bytes) into `shares` of which any `threshold` give it back. One share of one is the key itself, as
 * in Vault: there is no polynomial to hide it in.
 */
export async function split(key: Uint8Array, shares: number, threshold: number): Promise<Uint8Array[]> {
  if (key.length !== KEY_BYTES) throw new Error(`a key has ${KEY_BYTES} bytes`);
  if (shares === 1 && threshold === 1) return [key.slice()];
  if (threshold < 2 || threshold > shares || shares > MAX_SHARES) {
    throw new Error(`cannot split into ${shares} shares with a threshold of ${threshold}`);
  }
  const made = await splitSecret(key, shares, threshold);
  // Checked before they are handed out: a share nobody can use is found out too late by its custodian.
  if (new Set(made.map(coordinateOf)).size !== shares || made.some((share) => !isShare(share))) {
    throw new Error("the split gave shares that cannot be combined");
  }
  return made;
}

/**
 * What `shares` combine to: their polynomials' values at 0. Shamir cannot tell a wrong share; whoever calls this tests
 * the result (by opening what it should open). At least two shares of 33 bytes with distinct x other than 0.
 */
export async function combine(shares: readonly Uint8Array[]): Promise<Uint8Array> {
  if (shares.length < 2) throw new Error("fewer than two shares cannot be combined");
  if (!shares.every(isShare)) throw new Error(`a share has ${SHARE_BYTES} bytes and an x other than 0`);
  if (new Set(shares.map(coordinateOf)).size !== shares.length) throw new Error("two shares have the same x");
  const copies = shares.map((share) => new Uint8Array(share));
  try {
    return await combineShares(copies);
  } finally {
    for (const copy of copies) copy.fill(0);
  }
}

/**
 * One more share of the key that `shares` (exactly a threshold of them) combine to, at `x` (1 to 255, none of theirs).
 *
 * `combine` gives the polynomials' values at 0. Moving every x by XOR with the new one moves that point there:
 * subtraction in GF(2^8) is XOR, and Lagrange's formula uses differences of coordinates only.
 */
export async function extend(shares: readonly Uint8Array[], x: number): Promise<Uint8Array> {
  // At 0 lies the key itself.
  if (!Number.isInteger(x) || x < 1 || x > MAX_SHARES) throw new Error(`an x coordinate is 1 to ${MAX_SHARES}`);
  if (shares.some((share) => coordinateOf(share) === x)) throw new Error("a share with this x is among those given");
  const moved = shares.map((share) => {
    const copy = new Uint8Array(share);
    copy[SHARE_BYTES - 1] = coordinateOf(share) ^ x;
    return copy;
  });
  try {
    const y = await combine(moved);
    const share = new Uint8Array(SHARE_BYTES);
    share.set(y);
    share[SHARE_BYTES - 1] = x;
    y.fill(0);
    return share;
  } finally {
    for (const copy of moved) copy.fill(0);
  }
}

/** Whether these bytes have the form of a share of a split key. */
export function isShare(bytes: Uint8Array): boolean {
  return bytes.length === SHARE_BYTES && coordinateOf(bytes) !== 0;
}
