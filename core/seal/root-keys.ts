/**
 * `core/hsm/barrier-unseal-keys`: the root keys, wrapped by the KEK that the shares combine to. Vault's layout:
 *
 *     protobuf { 1: nonce (12) | AES-256-GCM of `["<base64 root key>", …]` without AAD | tag (16);  5: {} }
 *
 * A list, because a change of the root key adds the new one before it takes out the old.
 *
 * The message has two fields, so the wire format is read and written here rather than by a protobuf library: length-
 * delimited fields (tag, length, bytes), https://protobuf.dev/programming-guides/encoding/.
 */
import * as v from "valibot";
import { AuthenticationFailed, fillRandom, KEY_BYTES, NONCE_BYTES, open, sealInto, TAG_BYTES } from "../crypto.ts";
import { fromBase64, fromUtf8, toBase64, utf8 } from "../encoding.ts";

export const ROOT_KEYS_PATH = "core/hsm/barrier-unseal-keys";

/** Field 1, length-delimited: the ciphertext. */
const CIPHERTEXT_TAG = 0x0a;
/** Field 5, length-delimited and empty: which key of the seal it was. A Shamir seal has one. */
const KEY_INFO = [0x2a, 0x00];
const NO_AAD = new Uint8Array();

const keysSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.pipe(v.array(v.string()), v.minLength(1)),
  v.transform((texts) => texts.map(fromBase64)),
  v.everyItem((key) => key?.length === KEY_BYTES),
  v.transform((keys) => keys.filter((key) => key !== undefined)),
);

/** Wraps `rootKeys` (32 bytes each) under `kek`. */
export function wrapRootKeys(kek: Uint8Array, rootKeys: readonly Uint8Array[]): Uint8Array {
  const plaintext = utf8(JSON.stringify(rootKeys.map(toBase64)));
  const sealed = new Uint8Array(NONCE_BYTES + plaintext.length + TAG_BYTES);
  const nonce = fillRandom(sealed.subarray(0, NONCE_BYTES));
  sealInto(kek, nonce, NO_AAD, plaintext, sealed, NONCE_BYTES);
  plaintext.fill(0);
  return Uint8Array.from([CIPHERTEXT_TAG, ...varint(sealed.length), ...sealed, ...KEY_INFO]);
}

/** The root keys. Throws AuthenticationFailed under another KEK, and for a blob that is not one. */
export function unwrapRootKeys(kek: Uint8Array, blob: Uint8Array): Uint8Array[] {
  const sealed = ciphertextOf(blob);
  const plaintext = open(kek, sealed.subarray(0, NONCE_BYTES), NO_AAD, sealed.subarray(NONCE_BYTES));
  const parsed = v.safeParse(keysSchema, fromUtf8(plaintext));
  plaintext.fill(0);
  if (!parsed.success) throw new Error(`${ROOT_KEYS_PATH} holds no root keys`);
  return parsed.output;
}

/** Field 1 of the message; every other field is passed over, as protobuf readers do. */
function ciphertextOf(blob: Uint8Array): Uint8Array {
  let found: Uint8Array | undefined;
  for (let at = 0; at < blob.length;) {
    const tag = readVarint(blob, at);
    const length = readVarint(blob, tag.end);
    const end = length.end + length.value;
    // Every field of the message that holds bytes is length-delimited (wire type 2).
    if ((tag.value & 7) !== 2 || end > blob.length) throw new AuthenticationFailed();
    if (tag.value === CIPHERTEXT_TAG) found = blob.subarray(length.end, end);
    at = end;
  }
  if (found === undefined || found.length < NONCE_BYTES + TAG_BYTES) throw new AuthenticationFailed();
  return found;
}

function varint(value: number): number[] {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start; at < bytes.length && at < start + 4; at += 1) {
    const byte = bytes[at] ?? 0;
    value |= (byte & 127) << (7 * (at - start));
    if (byte < 128) return { value, end: at + 1 };
  }
  throw new AuthenticationFailed();
}
