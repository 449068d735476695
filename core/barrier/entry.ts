/**
 * One encrypted entry, in Vault's own layout:
 *
 *     term (4 bytes, big endian) | version (1) | nonce (12) | ciphertext | tag (16)
 *
 * AES-256-GCM under the key of that term. The storage path is the AAD, so that an entry moved to another path does not
 * open. The nonce is random (SP 800-38D, section 8.2.2), which is why the barrier counts its encryptions.
 *
 * Version 1 (Vault before 0.3.1) does not bind the path and is not accepted.
 */
import { AuthenticationFailed, NONCE_BYTES, open, randomBytes, sealInto, TAG_BYTES } from "../crypto.ts";
import { utf8 } from "../encoding.ts";

const VERSION = 2;
const VERSION_AT = 4;
const NONCE_AT = 5;
const CIPHERTEXT_AT = NONCE_AT + NONCE_BYTES;
/** Bytes that a frame has more than its plaintext. */
export const OVERHEAD = CIPHERTEXT_AT + TAG_BYTES;
const MAX_TERM = 0xffff_ffff;

/** A frame that cannot be an entry: too short, or of another version. */
export class MalformedEntry extends Error {
  override readonly name = "MalformedEntry";
}

/** Seals `plaintext` for `path` under the key of `term`, a positive 32-bit integer. */
export function sealEntry(term: number, key: Uint8Array, path: string, plaintext: Uint8Array): Uint8Array {
  if (!Number.isInteger(term) || term < 1 || term > MAX_TERM) throw new Error(`no such term: ${term}`);
  const frame = new Uint8Array(OVERHEAD + plaintext.length);
  frame[0] = term >>> 24;
  frame[1] = term >>> 16;
  frame[2] = term >>> 8;
  frame[3] = term;
  frame[VERSION_AT] = VERSION;
  const nonce = randomBytes(NONCE_BYTES);
  frame.set(nonce, NONCE_AT);
  sealInto(key, nonce, utf8(path), plaintext, frame, CIPHERTEXT_AT);
  return frame;
}

/** The term under which `frame` was sealed. Throws MalformedEntry for what cannot be an entry. */
export function termOf(frame: Uint8Array): number {
  if (frame.length < OVERHEAD) throw new MalformedEntry(`an entry has at least ${OVERHEAD} bytes, not ${frame.length}`);
  if (frame[VERSION_AT] !== VERSION) throw new MalformedEntry(`entry version ${frame[VERSION_AT]} is not supported`);
  // A DataView would cost more than the four bytes.
  const low = ((frame[1] ?? 0) << 16) | ((frame[2] ?? 0) << 8) | (frame[3] ?? 0);
  return (frame[0] ?? 0) * 0x100_0000 + low;
}

/**
 * Opens a frame that `termOf` has accepted. Throws AuthenticationFailed for a wrong key, another path, or any changed
 * bit: term and version are not authenticated, but a changed term names another key and a changed version is refused.
 */
export function openEntry(key: Uint8Array, path: string, frame: Uint8Array): Uint8Array {
  return open(key, frame.slice(NONCE_AT, CIPHERTEXT_AT), utf8(path), frame, CIPHERTEXT_AT);
}

export { AuthenticationFailed };
