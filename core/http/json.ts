/**
 * Request bodies: bytes to values, with the semantics of Go's encoding/json as Vault uses it, and values to text.
 *
 * A value is what JSON.parse gives, but that a number which a double would print otherwise (`1.0`, `1E5`, `-0`, 23
 * digits) stays a {@link RawNumber}, so that a secret comes back as it was sent.
 */
import { malformed } from "./json-error.ts";
import { OPEN_OBJECT, type Scan, scanJson } from "./json-scan.ts";

/** A number that keeps its text: what `JSON.rawJSON` makes. A client cannot forge one. */
export interface RawNumber {
  readonly rawJSON: string;
}

/** A parsed JSON object. Its keys are own properties, `__proto__` and `constructor` too. */
export type JsonObject = Record<string, unknown>;

/** The parts of "JSON.parse source text access" (ECMAScript 2026) that TypeScript's library does not know yet. */
const json = JSON as unknown as {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
};

const decoder = new TextDecoder();

/**
 * The first JSON value of a body; undefined for an empty body, white space only, or `null`. Other values after the first
 * are ignored, invalid UTF-8 and lone surrogates become U+FFFD, of duplicate keys the last wins.
 *
 * Throws InvalidInput for anything that is not JSON, and beyond the limits of json-scan.ts, before anything is built.
 */
export function parseBody(bytes: Uint8Array): unknown {
  const scan = scanJson(bytes);
  if (scan === undefined) return undefined;
  return parseText(textOf(scan), scan.unusualNumber) ?? undefined;
}

function parseText(text: string, unusualNumber: boolean): unknown {
  return unusualNumber ? json.parse(text, keepText) : JSON.parse(text);
}

/** The text of the first value, which is well-formed Unicode. */
function textOf({ bytes, start, end }: Scan): string {
  const isAll = start === 0 && end === bytes.length;
  return decoder.decode(isAll ? bytes : bytes.subarray(start, end));
}

/** As {@link parseBody}, for endpoints that take an object of fields: an empty body is an empty object. */
export function parseObject(bytes: Uint8Array): JsonObject {
  const value = parseBody(bytes) ?? {};
  if (isObject(value)) return value;
  throw malformed(`json: cannot unmarshal ${kindOf(value)} into Go value of type map[string]interface {}`);
}

/** The text of one whole JSON object, as {@link parseObjectText} makes it. */
export interface ObjectText {
  readonly text: string;
  /** Certain to be ASCII: then the text is as long in UTF-8, and nobody needs to look. */
  readonly isAscii: boolean;
  /** Some number of it would not survive a double. */
  readonly unusualNumber: boolean;
}

/** As {@link parseObject}, for what is only handed on: the object's text, as it is in `bytes`. */
export function parseObjectText(bytes: Uint8Array): ObjectText {
  const scan = scanJson(bytes);
  if (scan !== undefined && bytes[scan.start] === OPEN_OBJECT)
    return { text: textOf(scan), isAscii: scan.isAscii, unusualNumber: scan.unusualNumber };
  return { text: stringify(parseObject(bytes)), isAscii: false, unusualNumber: true };
}

/** What {@link parseObject} would have made of it. */
export function objectOf({ text, unusualNumber }: ObjectText): JsonObject {
  return parseText(text, unusualNumber) as JsonObject;
}

/** The text of a value, with the numbers as they were sent. */
export function stringify(value: unknown): string {
  return JSON.stringify(value);
}

/** Whether a parsed value is a JSON object: no array, no {@link RawNumber}. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !json.isRawJSON(value);
}

/** The text of a parsed number; undefined when the value is something else. */
export function numberText(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return json.isRawJSON(value) ? value.rawJSON : undefined;
}

/** What encoding/json calls the kind of a parsed value in its errors. */
export function kindOf(value: unknown): "array" | "object" | "string" | "number" | "bool" | "null" {
  if (value === null) return "null";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (numberText(value) !== undefined) return "number";
  return Array.isArray(value) ? "array" : "object";
}

function keepText(_key: string, value: unknown, context: { source?: string }): unknown {
  const { source } = context;
  if (typeof value !== "number" || source === undefined || String(value) === source) return value;
  return json.rawJSON(source);
}
