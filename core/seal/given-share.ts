/**
 * A share that was given to an attempt and waits for the others: sealed on its own (AES-256-GCM, random nonce) under the
 * attempt's key, with the attempt's id and the share's x as AAD, so that none can be taken for another's.
 *
 *     base64 of: nonce (12) | ciphertext (33) | tag (16)
 */
import { AuthenticationFailed, fillRandom, NONCE_BYTES, open, sealInto, TAG_BYTES } from "../crypto.ts";
import { fromBase64, toBase64, utf8 } from "../encoding.ts";
import { ApiError } from "../errors.ts";
import { coordinateOf, SHARE_BYTES } from "./shamir.ts";

export interface GivenShare {
  readonly x: number;
  /** Base64. */
  readonly sealed: string;
}

export function sealGiven(key: Uint8Array, attempt: string, share: Uint8Array): GivenShare {
  const x = coordinateOf(share);
  const sealed = new Uint8Array(NONCE_BYTES + SHARE_BYTES + TAG_BYTES);
  const nonce = fillRandom(sealed.subarray(0, NONCE_BYTES));
  sealInto(key, nonce, aadOf(attempt, x), share, sealed, NONCE_BYTES);
  return { x, sealed: toBase64(sealed) };
}

/** Throws ApiError `damaged` for what was not sealed for this attempt and this x. */
export function openGiven(key: Uint8Array, attempt: string, { x, sealed }: GivenShare): Uint8Array {
  const bytes = fromBase64(sealed) ?? new Uint8Array();
  try {
    if (bytes.length < NONCE_BYTES) throw new AuthenticationFailed();
    return open(key, bytes.subarray(0, NONCE_BYTES), aadOf(attempt, x), bytes.subarray(NONCE_BYTES));
  } catch (error) {
    if (error instanceof AuthenticationFailed) throw new ApiError("damaged", "a share of the attempt does not open");
    throw error;
  }
}

function aadOf(attempt: string, x: number): Uint8Array {
  return utf8(`${attempt} ${x}`);
}
