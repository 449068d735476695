import * as v from "valibot";
import { fromUtf8 } from "./encoding.ts";
import { ApiError } from "./errors.ts";

/**
 * What the JSON of a stored entry holds. Throws ApiError `damaged` as `<path> holds no <what>`, without any of the
 * content, when it is something else.
 */
export function parseStored<Schema extends v.GenericSchema>(
  schema: Schema,
  stored: Uint8Array,
  path: string,
  what: string,
): v.InferOutput<Schema> {
  let input: unknown;
  try {
    input = JSON.parse(fromUtf8(stored));
  } catch {
    throw new ApiError("damaged", `${path} holds no ${what}`);
  }
  const parsed = v.safeParse(schema, input);
  if (!parsed.success) throw new ApiError("damaged", `${path} holds no ${what}`);
  return parsed.output;
}

/** A map of strings with any keys. Valibot's `record` drops keys such as `constructor` without a word. */
export const stringMap = v.custom<Readonly<Record<string, string>>>(
  (input) =>
    typeof input === "object" &&
    input !== null &&
    !Array.isArray(input) &&
    Object.values(input).every((value) => typeof value === "string"),
);
