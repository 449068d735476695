/**
 * The register of shares: one entry in the barrier that knows every share ever issued, by its x coordinate and by a
 * commitment (HMAC-SHA256 of the share under a key that lives in the register). So a wrong share can be refused at once
 * while the server is unsealed, no coordinate is issued twice, and the number of shares cannot grow unseen.
 *
 * It is bound to the KEK by the KEK's fingerprint: shares of another KEK are none of its business.
 */
import * as v from "valibot";
import type { Barrier } from "../barrier/barrier.ts";
import { equal, hkdfSha256, hmacSha256, KEY_BYTES, randomBytes } from "../crypto.ts";
import { fromBase64, toBase64, toHex, utf8 } from "../encoding.ts";
import { ApiError } from "../errors.ts";
import { parseStored } from "../stored-json.ts";
import { coordinateOf, isShare, MAX_SHARES } from "./shamir.ts";

export const REGISTER_PATH = "core/register";
/**
 * Of the entry. A newer one is refused: what it says that this version cannot read may matter. So a new field needs a new
 * format: this version would drop it at the next change, and nobody would notice.
 */
const FORMAT = 1;

const coordinate = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_SHARES));
const recipientSchema = v.object({
  /** Lower-case hex. */
  fingerprint: v.string(),
  /** Base64 of the binary PGP key. */
  key: v.string(),
});
const registerSchema = v.object({
  format: v.literal(FORMAT),
  /** Fingerprint of the KEK that these shares combine to. */
  kek: v.string(),
  threshold: coordinate,
  /** Base64 of 32 random bytes. */
  commitment_key: v.string(),
  shares: v.array(
    v.object({
      /** Its coordinate; null for a single share, which is the KEK itself. */
      x: v.nullable(coordinate),
      /** Base64. */
      commitment: v.string(),
      purpose: v.picklist(["init", "generate-share"]),
      /** RFC 3339. */
      issued: v.string(),
      /** PGP fingerprint of who got it, where it was encrypted. */
      recipient: v.optional(v.string()),
      /** The coordinates of the shares that made it. */
      by: v.optional(v.array(coordinate)),
      /** Name of the entry that holds it encrypted to its recipient. */
      ciphertext: v.optional(v.string()),
    }),
  ),
  /** The attempt under way to make a further share. */
  attempt: v.optional(
    v.object({
      id: v.string(),
      recipient: recipientSchema,
      /** Milliseconds since 1970 of its start or its last share. */
      touched: v.number(),
      /** The shares given so far, each sealed on its own. */
      given: v.array(v.object({ x: coordinate, sealed: v.string() })),
    }),
  ),
  /** The attempt that was finished last: its answer can be had again for a while. */
  last: v.optional(v.object({ at: v.number(), x: coordinate })),
});

export type Register = Readonly<v.InferOutput<typeof registerSchema>>;
export type Attempt = NonNullable<Register["attempt"]>;
export type IssuedShare = Register["shares"][number];

/**
 * The register of a new coffer. `holders`: the PGP fingerprints of who gets each share, or none. `now`: milliseconds since
 * 1970.
 */
export function createRegister(
  kek: Uint8Array,
  shares: readonly Uint8Array[],
  threshold: number,
  holders: readonly string[],
  now: number,
): Register {
  const commitmentKey = randomBytes(KEY_BYTES);
  return {
    format: FORMAT,
    kek: fingerprint(kek),
    threshold,
    commitment_key: toBase64(commitmentKey),
    shares: shares.map((share, index) => ({
      x: isShare(share) ? coordinateOf(share) : null,
      commitment: commit(commitmentKey, share),
      purpose: "init",
      issued: new Date(now).toISOString(),
      ...(holders[index] !== undefined && { recipient: holders[index] }),
    })),
  };
}

export function encodeRegister(register: Register): Uint8Array {
  return utf8(JSON.stringify(register));
}

/** The issued share that `share` is; undefined when it is none, or not as it was issued. Compared in constant time. */
export function issuedAs(register: Register, share: Uint8Array): IssuedShare | undefined {
  const known = register.shares.find(({ x }) => x === coordinateOf(share));
  if (known === undefined) return undefined;
  const commitment = commit(commitmentKeyOf(register), share);
  return equal(utf8(commitment), utf8(known.commitment)) ? known : undefined;
}

/** A coordinate that no share has ever had, drawn at random; undefined when all 255 have been issued. */
export function freeCoordinate(register: Register): number | undefined {
  const issued = new Set(register.shares.map(({ x }) => x));
  const free = Array.from({ length: MAX_SHARES }, (_, index) => index + 1).filter((x) => !issued.has(x));
  if (free.length === 0) return undefined;
  // Bytes past the largest multiple are drawn again, so that no coordinate is likelier.
  const fairBelow = 256 - (256 % free.length);
  for (;;) {
    const [byte = 0] = randomBytes(1);
    if (byte < fairBelow) return free[byte % free.length];
  }
}

/** The register with a further share, its attempt over. `share` is what is handed out, `issued` what is known of it. */
export function withShare(
  register: Register,
  share: Uint8Array,
  issued: Required<Pick<IssuedShare, "recipient" | "by" | "ciphertext">>,
  now: number,
): Register {
  const { attempt: _over, ...rest } = register;
  const x = coordinateOf(share);
  const commitment = commit(commitmentKeyOf(register), share);
  const entry = { x, commitment, purpose: "generate-share" as const, issued: new Date(now).toISOString(), ...issued };
  return { ...rest, shares: [...register.shares, entry], last: { at: now, x } };
}

/** Names a KEK without telling anything of it: 16 bytes of HKDF, in hex. */
export function fingerprint(kek: Uint8Array): string {
  return toHex(hkdfSha256(kek, "coffer kek fingerprint", 16));
}

/** The stored register with its stored bytes, for a later swap. Throws ApiError `damaged` without one. */
export async function readRegister(barrier: Barrier): Promise<{ register: Register; stored: Uint8Array }> {
  const entry = await barrier.read(REGISTER_PATH);
  if (entry === undefined) throw new ApiError("damaged", `the register of shares at ${REGISTER_PATH} is missing`);
  const what = "register of shares that this version can read";
  return { register: parseStored(registerSchema, entry.value, REGISTER_PATH, what), stored: entry.stored };
}

function commit(key: Uint8Array, share: Uint8Array): string {
  return toBase64(hmacSha256(key, share));
}

function commitmentKeyOf(register: Register): Uint8Array {
  const key = fromBase64(register.commitment_key);
  if (key === undefined) throw new ApiError("damaged", `${REGISTER_PATH} has no commitment key`);
  return key;
}
