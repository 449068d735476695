/** What is wrong with a client's input, in the words of Vault and of Go's encoding/json. */
import { ApiError } from "../errors.ts";

/** What a client sent is wrong in itself: a 400 with Vault's text, without any value that was sent. */
export class InvalidInput extends ApiError {
  constructor(message: string) {
    super("invalid", message);
  }
}

/** Stands for the byte after the last one. */
export const END = -1;

/** Vault's text for a body that is not the JSON that was asked for. */
export function malformed(detail: string): InvalidInput {
  return new InvalidInput(`failed to decode JSON input: ${detail}`);
}

/** Vault's text for a body beyond the limits. */
export function tooComplex(detail: string): InvalidInput {
  return new InvalidInput(`refused JSON input due to high complexity: ${detail}`);
}

/** Go's text for a byte (or {@link END}) that JSON's grammar does not have there. */
export function unexpected(byte: number, context: string): InvalidInput {
  return malformed(byte === END ? "unexpected EOF" : `invalid character ${quoteByte(byte)} ${context}`);
}

/** Go's short escapes; the rest is printed as it is, or in hexadecimal when it cannot be printed. */
const QUOTED: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0b, "\\v"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
  [0x27, "\\'"],
  [0x5c, "\\\\"],
]);

/** A byte as Go quotes it: as the character of that number in Latin-1, between apostrophes. */
function quoteByte(byte: number): string {
  const hex = byte.toString(16).padStart(2, "0");
  const isHidden = byte < 0x20 || (byte >= 0x7f && byte <= 0xa0) || byte === 0xad;
  const escaped = byte < 0x80 ? `\\x${hex}` : `\\u00${hex}`;
  return `'${QUOTED.get(byte) ?? (isHidden ? escaped : String.fromCharCode(byte))}'`;
}
