import { fromBase64, fromHex } from "../encoding.ts";
import { invalid } from "../errors.ts";
import { SHARE_BYTES } from "./shamir.ts";

/** The shortest key that any cipher of the seal takes. */
const MIN_BYTES = 16;

/**
 * The bytes of a share as a custodian types it: hex when that gives 16 to 33 bytes, else standard base64, with white
 * space around it ignored. Throws ApiError `invalid` with Vault's texts, which never hold the share.
 */
export function parseShare(text: string): Uint8Array {
  const trimmed = text.trim();
  const hex = fromHex(trimmed);
  const isHex = hex !== undefined && hex.length >= MIN_BYTES && hex.length <= SHARE_BYTES;
  const bytes = isHex ? hex : fromBase64(trimmed);
  if (bytes === undefined) throw invalid("'key' must be a valid hex or base64 string");
  if (bytes.length < MIN_BYTES) throw invalid(`invalid key: key is shorter than minimum ${MIN_BYTES} bytes`);
  if (bytes.length > SHARE_BYTES) throw invalid(`invalid key: key is longer than maximum ${SHARE_BYTES} bytes`);
  return bytes;
}
