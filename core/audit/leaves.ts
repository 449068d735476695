/**
 * The body of a request or answer as an audit line holds it: its JSON, with every string in it replaced by a keyed hash.
 * Whoever knows a value can find it by `sys/audit-hash`; whoever reads the line learns nothing but the shape.
 *
 * As Vault does it, keys of maps, numbers, booleans, null and RFC 3339 times stay as they are.
 */
import { hmacSha256Hex } from "../crypto.ts";
import { toBase64 } from "../encoding.ts";
import { isObject } from "../http/json.ts";

/** What a device writes in the place of a text. */
export type Hash = (text: string) => string;

/** The hash of a device: HMAC-SHA256 under its salt. */
export function hashWith(salt: Uint8Array): Hash {
  const hmac = hmacSha256Hex(salt);
  return (text) => `hmac-sha256:${hmac(text)}`;
}

/** The JSON text of `value` as JSON.stringify would write it, but with every string leaf hashed. */
export function hashLeaves(value: unknown, hash: Hash): string {
  if (typeof value === "string") return isTime(value) ? JSON.stringify(value) : `"${hash(value)}"`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  // Bytes would otherwise be a map of numbers, in the clear.
  if (value instanceof Uint8Array) return `"${hash(toBase64(value))}"`;
  if ("toJSON" in value && typeof value.toJSON === "function") return hashLeaves(value.toJSON(), hash);
  if (Array.isArray(value)) return `[${value.map((item) => hashLeaves(item, hash)).join(",")}]`;
  // What is no object by now is a number that keeps its text.
  return isObject(value) ? hashMembers(value, hash) : JSON.stringify(value);
}

function hashMembers(members: object, hash: Hash): string {
  let text = "";
  for (const key of Object.keys(members)) {
    const value = (members as Readonly<Record<string, unknown>>)[key];
    if (value === undefined || typeof value === "function") continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${hashLeaves(value, hash)}`;
  }
  return `{${text}}`;
}

const TIME =
  /^(\d{4})-(0[1-9]|1[0-2])-(\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
/** The fraction may have any number of digits in Go; a secret with a date before it must not pass for a time. */
const LONGEST_TIME = "2006-01-02T15:04:05.999999999+00:00".length;

function isTime(text: string): boolean {
  if (text.charCodeAt(10) !== 0x54 || text.length > LONGEST_TIME) return false;
  const parts = TIME.exec(text);
  if (parts === null) return false;
  const [, year, month, day] = parts;
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) >= 1 && Number(day) <= last;
}
