import { fillRandom } from "../crypto.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** The largest multiple of 62 that a byte can be below: bytes from here on are drawn again, so that no digit is likelier. */
const FAIR_BELOW = 248;

/** `digits` random base62 digits, each of 5.95 bits. */
export function randomBase62(digits: number): string {
  let text = "";
  while (text.length < digits) {
    for (const byte of fillRandom(new Uint8Array(digits))) {
      if (byte < FAIR_BELOW && text.length < digits) text += BASE62[byte % 62];
    }
  }
  return text;
}
