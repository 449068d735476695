/** Go's encoding/json writes the keys of a map in the order of their bytes; KV v1 stores and answers such text. */
import { isObject } from "./json.ts";

/**
 * The JSON text of a parsed value, with the keys of every object in the order of their UTF-8 bytes and the numbers as
 * they were sent. Depth is bounded by the limit of json-scan.ts, for every value comes from there.
 */
export function stringifySorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stringifySorted).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort(byUtf8)
    .map((key) => `${JSON.stringify(key)}:${stringifySorted(value[key])}`);
  return `{${members.join(",")}}`;
}

/**
 * Compares well-formed strings by their UTF-8 bytes. JavaScript's own order differs above U+FFFF. (The memory driver has
 * the same order of its own: neither layer may import it from the other.)
 */
export function byUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Puts surrogates, the halves of what lies above U+FFFF, behind U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
