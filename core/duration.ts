/**
 * Durations in the texts of Go's time package and Vault's parseutil, in whole seconds: `90`, `1h30m`, `1.5h`, `30d`.
 */

/** A text that is no duration. The message is Go's, without the text. */
export class InvalidDuration extends Error {
  override readonly name = "InvalidDuration";
}

/** Go keeps durations as nanoseconds in an int64; what overflows is refused. */
const MAX_NANOSECONDS = 2n ** 63n - 1n;
const MIN_NANOSECONDS = -(2n ** 63n);
/** 2^63 has so many digits. */
const MAX_DIGITS = 19;

const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n], // micro sign
  ["\u03bcs", 1_000n], // Greek mu
  ["ms", 1_000_000n],
  ["s", SECOND],
  ["m", 60n * SECOND],
  ["h", 3_600n * SECOND],
]);

/**
 * A duration in whole seconds, a safe integer; fractions of a second are cut. Takes what Vault takes in a body:
 * seconds (`"90"`), days (`"30d"`, nothing beside them) or Go's texts (`"1h30m"`, `"-1.5h"`, `"300ms"`); `""` is 0.
 *
 * Throws {@link InvalidDuration}, also for what overflows int64 nanoseconds (about 292 years).
 */
export function parseDuration(text: string): number {
  return Number(parseNanoseconds(text) / SECOND);
}

/** The same, to the nanosecond. */
export function parseNanoseconds(text: string): bigint {
  if (text === "") return 0n;
  // Of an integer out of int64's range Go says what it says of any text with its unit missing.
  const seconds = parseInteger(text);
  if (typeof seconds === "bigint") return within(seconds * SECOND);
  if (!text.endsWith("d")) return parseGoDuration(text);
  const days = parseInteger(text.slice(0, -1));
  if (typeof days === "string") throw new InvalidDuration(`strconv.ParseInt: ${days}`);
  return within(days * DAY);
}

/** Go's text for whole seconds, without the units that are zero: `25h`, `1h5s`; zero is `""`. */
export function formatDurationShort(seconds: number): string {
  const total = Math.abs(seconds);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  const units = `${h > 0 ? `${h}h` : ""}${m > 0 ? `${m}m` : ""}${s > 0 ? `${s}s` : ""}`;
  return units === "" ? "" : (seconds < 0 ? "-" : "") + units;
}

/** Go's strconv.ParseInt(text, 10, 64); a string is the reason why not. */
function parseInteger(text: string): bigint | string {
  if (!/^[+-]?[0-9]+$/.test(text)) return "invalid syntax";
  const digits = text.replace(/^[+-]?0*/, "");
  if (digits.length > MAX_DIGITS) return "value out of range";
  const value = text.startsWith("-") ? -BigInt(digits) : BigInt(digits);
  return value < MIN_NANOSECONDS || value > MAX_NANOSECONDS ? "value out of range" : value;
}

/** One number with its unit. A unit is whatever stands before the next digit or point, as in Go. */
const TERM = /([0-9]*)(?:(\.)([0-9]*))?([^0-9.]*)/y;

/** Go's time.ParseDuration: nanoseconds. */
function parseGoDuration(text: string): bigint {
  const isNegative = text.startsWith("-");
  const start = isNegative || text.startsWith("+") ? 1 : 0;
  if (text.length === start) throw new InvalidDuration("time: invalid duration");
  let total = 0n;
  for (let at = start; at < text.length;) {
    TERM.lastIndex = at;
    const [term = "", whole = "", , fraction = "", unit = ""] = TERM.exec(text) ?? [];
    total += termOf(whole, fraction, unit);
    // The negative range is larger by one, and so is what Go lets pass until the sign is known.
    if (total > -MIN_NANOSECONDS) throw new InvalidDuration("time: invalid duration");
    at += term.length;
  }
  if (!isNegative && total > MAX_NANOSECONDS) throw new InvalidDuration("time: invalid duration");
  return isNegative ? -total : total;
}

function termOf(whole: string, fraction: string, unit: string): bigint {
  const digits = whole.replace(/^0+/, "");
  if ((whole === "" && fraction === "") || digits.length > MAX_DIGITS || BigInt(digits) > -MIN_NANOSECONDS) {
    throw new InvalidDuration("time: invalid duration");
  }
  if (unit === "") throw new InvalidDuration("time: missing unit in duration");
  const size = UNITS.get(unit);
  if (size === undefined) throw new InvalidDuration("time: unknown unit in duration");
  return BigInt(digits) * size + fractionOf(fraction, size);
}

/** The nanoseconds of the digits behind a point, computed in a double as Go does it; it may round up to a whole unit. */
function fractionOf(digits: string, size: bigint): bigint {
  let value = 0n;
  let scale = 1;
  for (const digit of digits) {
    const next = value * 10n + BigInt(digit);
    // Go looks at both bounds and drops the digits beyond.
    if (value > MAX_NANOSECONDS / 10n || next > -MIN_NANOSECONDS) break;
    value = next;
    scale *= 10;
  }
  return BigInt(Math.trunc(Number(value) * (Number(size) / scale)));
}

function within(nanoseconds: bigint): bigint {
  if (nanoseconds >= MIN_NANOSECONDS && nanoseconds <= MAX_NANOSECONDS) return nanoseconds;
  throw new InvalidDuration("multiplication of durations resulted in overflow, one operand may be too large");
}
