/**
 * The register of shares: one entry in the barrier that knows every share ever issued, by its x coordinate and by a
 * commitment (HMAC-SHA256 of the share under a key that lives in the register). So a wrong share can be refused at once
 * while the server is unsealed, no coordinate is issued twice, and the number of shares cannot grow unseen.
 *
 * It is bound to the KEK by the KEK's fingerprint: shares of another KEK are none of its business.
 */
import * as v from "valibot";
import type { Barrier } from "../barrier/barrier.ts";
import { hkdfSha256, hmacSha256, KEY_BYTES, randomBytes } from "../crypto.ts";
import { toBase64, toHex, utf8 } from "../encoding.ts";
import { parseStored } from "../stored-json.ts";
import { coordinateOf, isShare, MAX_SHARES } from "./shamir.ts";

export const REGISTER_PATH = "core/register";
/** Of the entry. A newer one is refused: what it says that this version cannot read may matter. */
const FORMAT = 1;

const registerSchema = v.object({
  format: v.literal(FORMAT),
  /** Fingerprint of the KEK that these shares combine to. */
  kek: v.string(),
  threshold: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_SHARES)),
  /** Base64 of 32 random bytes. */
  commitment_key: v.string(),
  shares: v.array(
    v.object({
      /** Its coordinate; null for a single share, which is the KEK itself. */
      x: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_SHARES))),
      /** Base64. */
      commitment: v.string(),
      purpose: v.picklist(["init"]),
      /** RFC 3339. */
      issued: v.string(),
    }),
  ),
});

export type Register = Readonly<v.InferOutput<typeof registerSchema>>;

/** The register of a new coffer. `now`: milliseconds since 1970. */
export function createRegister(
  kek: Uint8Array,
  shares: readonly Uint8Array[],
  threshold: number,
  now: number,
): Register {
  const commitmentKey = randomBytes(KEY_BYTES);
  return {
    format: FORMAT,
    kek: fingerprint(kek),
    threshold,
    commitment_key: toBase64(commitmentKey),
    shares: shares.map((share) => ({
      x: isShare(share) ? coordinateOf(share) : null,
      commitment: toBase64(hmacSha256(commitmentKey, share)),
      purpose: "init",
      issued: new Date(now).toISOString(),
    })),
  };
}

export function encodeRegister(register: Register): Uint8Array {
  return utf8(JSON.stringify(register));
}

/** The stored register, or undefined when there is none. Throws ApiError `damaged` for one that cannot be read. */
export async function readRegister(barrier: Barrier): Promise<Register | undefined> {
  const stored = await barrier.get(REGISTER_PATH);
  if (stored === undefined) return undefined;
  return parseStored(registerSchema, stored, REGISTER_PATH, "register of shares that this version can read");
}

/** Names a KEK without telling anything of it: 16 bytes of HKDF, in hex. */
export function fingerprint(kek: Uint8Array): string {
  return toHex(hkdfSha256(kek, "coffer kek fingerprint", 16));
}
