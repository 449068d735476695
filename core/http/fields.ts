/**
 * Valibot schemas for the fields of logical paths, with Vault's weak typing: numbers as text, `true` for 1, one
 * text for a list of one. `null` and `""` mean the zero value, an absent field stays absent.
 *
 *     const body = logical({ max_operations: int64(), interval: durationSeconds(), enabled: bool() });
 *     const { enabled } = validate(body, input);   // boolean | undefined
 */
import * as v from "valibot";

import { InvalidDuration, parseDuration, parseNanoseconds } from "../duration.ts";
import { InvalidInput } from "./json-error.ts";
import { byUtf8 } from "./json-sorted.ts";
import { isObject, type JsonObject, kindOf, numberText } from "./json.ts";

/** A field: any JSON value in, `T` out. */
export type Field<T> = v.GenericSchema<unknown, T>;

/** What a field's decoder gives when the value cannot be taken: the tail of Vault's error, without the value. */
class Refusal {
  readonly tail: string;

  constructor(tail: string) {
    this.tail = tail;
  }
}

/** A body of named fields, all of them optional. Unknown ones are ignored and not copied. */
export function logical<const T extends Record<string, Field<unknown>>>(
  fields: T,
): v.ObjectSchema<{ [K in keyof T]: v.OptionalSchema<T[K], undefined> }, undefined> {
  const entries = Object.entries(fields).map(([name, schema]) => [name, v.optional(schema)]);
  return v.object(Object.fromEntries(entries) as { [K in keyof T]: v.OptionalSchema<T[K], undefined> });
}

/** The names in `input` that the schema does not know, sorted as Vault's warning lists them. */
export function unknownFields(schema: { readonly entries: object }, input: JsonObject): string[] {
  return Object.keys(input)
    .filter((name) => !Object.hasOwn(schema.entries, name))
    .sort(byUtf8);
}

/** The schema's output for `input`; throws {@link InvalidInput} with Vault's text for the first field that is wrong. */
export function validate<T>(schema: v.GenericSchema<unknown, T>, input: unknown): T {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  throw new InvalidInput(issueText(result.issues[0]));
}

/**
 * The one place that words an issue. One without a path speaks for the whole body and is taken as it is. Valibot's own
 * messages end in what was received, which may be a secret: then only what was expected is told.
 */
function issueText(issue: v.BaseIssue<unknown>): string {
  const tellsValue = issue.message.endsWith(`eceived ${issue.received}`);
  const tail = tellsValue ? `expected ${issue.expected ?? "another value"}` : issue.message;
  const keys = (issue.path ?? []).map(({ key }) => key);
  if (keys.length === 0 || !keys.every((key) => typeof key === "string")) return tail;
  const name = keys.join(".");
  return `Field validation failed: error converting input for field "${name}": ${tail}`;
}

/** An integer (Go's `int` in errors). Beyond 2^53 - 1 it is refused: JavaScript could not hold it exactly. */
export function int(): Field<number> {
  return field((value) => decodeInt(value, "int"));
}

/** As {@link int}, with Go's `int64` in errors. */
export function int64(): Field<number> {
  return field((value) => decodeInt(value, "int64"));
}

/** A boolean, or the text or number of one as Go's strconv.ParseBool takes them: `"true"`, `"t"`, `1`, … */
export function bool(): Field<boolean> {
  return field((value) => {
    if (typeof value === "boolean") return value;
    const text = scalarText(value, "bool");
    if (typeof text !== "string") return text;
    return (text === "" ? false : parseBool(text)) ?? unparsable("bool", "strconv.ParseBool: invalid syntax");
  });
}

/** A string; numbers become their text, booleans `1` and `0`. */
export function string(): Field<string> {
  return field((value) => scalarText(value, "string"));
}

/**
 * A duration in whole seconds, not negative: a number of seconds, or a text as {@link parseDuration} takes it. What is
 * less than a second, and not nothing, is 0, or 1 where `roundUp` says so: there 0 means something else.
 */
export function durationSeconds({ roundUp = false } = {}): Field<number> {
  return field((value) => {
    const text = typeof value === "boolean" ? undefined : scalarText(value, "");
    if (typeof text !== "string") return new Refusal("could not parse duration from input");
    try {
      const nanoseconds = parseNanoseconds(text);
      const seconds = parseDuration(text);
      if (seconds < 0 || (roundUp && nanoseconds < 0n)) return new Refusal("cannot provide negative value");
      return roundUp && seconds === 0 && nanoseconds > 0n ? 1 : seconds;
    } catch (error) {
      if (error instanceof InvalidDuration) return new Refusal(error.message);
      throw error;
    }
  });
}

/** A list of strings, trimmed: an array; a single string is a list of one, commas and all. */
export function stringArray(): Field<string[]> {
  return field((value) => {
    const texts = decodeStrings(value);
    return Array.isArray(texts) ? texts.map((text) => text.trim()) : texts;
  });
}

/** String pairs: an object of scalars, or an array (or one string) of `key=value`. Keys are own properties. */
export function kvPairs(): Field<Record<string, string>> {
  return field((value) => {
    if (isObject(value)) {
      const texts = decodeStrings(Object.values(value));
      if (Array.isArray(texts)) return Object.fromEntries(Object.keys(value).map((key, i) => [key, texts[i] ?? ""]));
    }
    const texts = decodeStrings(value);
    if (!Array.isArray(texts)) return texts;
    // The key ends at the first `=` and is not empty.
    if (texts.some((text) => text.indexOf("=") < 1)) return new Refusal("invalid key pair");
    return Object.fromEntries(texts.map((text) => splitAt(text, text.indexOf("="))));
  });
}

/** Any JSON object as it is, no key left out; `null` is an empty one. */
export function anyObject(): Field<JsonObject> {
  return field((value) => {
    if (value === null) return {};
    return isObject(value) ? value : unconvertible("map[string]interface {}", value);
  });
}

/** Go's strconv.ParseBool; undefined when the text is none of its words. */
export function parseBool(text: string): boolean | undefined {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  return ["0", "f", "F", "FALSE", "false", "False"].includes(text) ? false : undefined;
}

function field<T>(decode: (value: unknown) => T | Refusal): Field<T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const decoded = decode(dataset.value);
      if (!(decoded instanceof Refusal)) return decoded;
      addIssue({ message: decoded.tail, received: "" });
      return NEVER;
    }),
  );
}

function decodeInt(value: unknown, goType: string): number | Refusal {
  const text = scalarText(value, goType);
  if (typeof text !== "string") return text;
  const number = text === "" ? 0 : parseInteger(text);
  if (number === undefined) return unparsable(goType, "strconv.ParseInt: invalid syntax");
  return Number.isSafeInteger(number) ? number : unparsable(goType, "strconv.ParseInt: value out of range");
}

/** Go's integer literals, as strconv.ParseInt takes them with base 0; an underscore stands between digits only. */
const INTEGER = /^[+-]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$/;
const STRAY_UNDERSCORE = /__|_$/;

/** The nearest double of an integer literal; undefined when the text is none. */
function parseInteger(text: string): number | undefined {
  if (!INTEGER.test(text) || STRAY_UNDERSCORE.test(text)) return undefined;
  const digits = text.replace(/^[+-]/, "").replaceAll("_", "");
  const magnitude = Number(/^0[0-7]/.test(digits) ? `0o${digits}` : digits);
  return text.startsWith("-") && magnitude !== 0 ? -magnitude : magnitude;
}

/** What Vault makes of any scalar: `null` is empty, a boolean `1` or `0`, a number its text. */
function scalarText(value: unknown, goType: string): string | Refusal {
  if (typeof value === "string") return value;
  if (value === null) return "";
  if (typeof value === "boolean") return value ? "1" : "0";
  return numberText(value) ?? unconvertible(goType, value);
}

/** The texts of an array's scalars, or of one scalar. Only the first bad element is told, or errors would outgrow bodies. */
function decodeStrings(value: unknown): string[] | Refusal {
  if (value === null || value === "") return [];
  if (isObject(value) && Object.keys(value).length === 0) return [];
  const texts: string[] = [];
  for (const [i, element] of (Array.isArray(value) ? value : [value]).entries()) {
    const text = scalarText(element, "string");
    if (typeof text !== "string") {
      return new Refusal(`decoding failed due to the following error(s):\n\n${text.tail.replace("''", `'[${i}]'`)}`);
    }
    texts.push(text);
  }
  return texts;
}

function splitAt(text: string, at: number): [before: string, after: string] {
  return [text.slice(0, at), text.slice(at + 1)];
}

function unparsable(goType: string, reason: string): Refusal {
  return new Refusal(`'' cannot parse value as '${goType}': ${reason}`);
}

/** Arrays and objects where a scalar is due; of scalars only where an object is due. */
function unconvertible(goType: string, value: unknown): Refusal {
  const kinds = {
    array: "[]interface {}",
    object: "map[string]interface {}",
    number: "json.Number",
    null: "nil",
  };
  const kind = kindOf(value);
  const got = kind === "string" || kind === "bool" ? kind : kinds[kind];
  return new Refusal(`'' expected type '${goType}', got unconvertible type '${got}'`);
}
