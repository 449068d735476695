/**
 * JSON in which numbers keep their text. A secret is what somebody stored, digit for digit: `12345678901234567890` and
 * `1.0` have to come out as they went in, and a number of JavaScript would change both.
 *
 * Such numbers are wrapped by `JSON.rawJSON`, which `JSON.stringify` prints back as they were.
 */

// TC39 "JSON.parse source text access", ES2026; the types of the standard library do not have it yet.
interface RawJson {
  readonly rawJSON: string;
}
const raw: { rawJSON(text: string): RawJson; isRawJSON(value: unknown): value is RawJson } = Object.assign(
  Object.create(null),
  {
    rawJSON: Reflect.get(JSON, "rawJSON"),
    isRawJSON: Reflect.get(JSON, "isRawJSON"),
  },
);

/** Parses `text`; throws SyntaxError, whose message may quote the text and therefore is not for anyone's eyes. */
export function parseJson(text: string): unknown {
  const keep = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source;
    return typeof value === "number" && source !== undefined && String(value) !== source ? raw.rawJSON(source) : value;
  };
  return JSON.parse(text, keep);
}

/** Prints a value that came from {@link parseJson}, indented by two spaces as `vault` does, without a final line break. */
export function printJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** The text of a number that {@link parseJson} kept, undefined for any other value. */
export function numberText(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return raw.isRawJSON(value) ? value.rawJSON : undefined;
}

/** True for a JSON object, false for arrays, null and numbers that {@link parseJson} kept. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !raw.isRawJSON(value);
}
