/**
 * Schemas for the bare endpoints (init, unseal), which decode their body into a typed Go struct: nothing is coerced,
 * field names match in any case, unknown ones are ignored, and what is absent or `null` is the zero value.
 *
 *     const body = struct("UnsealRequest", { Key: goString, Reset: goBool, Migrate: goBool });
 *     const { Key } = validate(body, input);   // string
 */
import * as v from "valibot";

import { malformed } from "./json-error.ts";
import { isObject, kindOf, numberText } from "./json.ts";

/** How one field of a struct is decoded. */
export interface StructField<T> {
  readonly zero: T;
  /** `value` is never `null`. */
  readonly decode: (value: unknown) => T | Mismatch;
}

/** A value of another kind than the field's, or than that of the elements of a list. */
class Mismatch {
  readonly kind: string;
  /** Go's name of the type that was due. */
  readonly goType: string;

  constructor(value: unknown, goType: string) {
    this.kind = kindOf(value);
    this.goType = goType;
  }
}

export const goString: StructField<string> = {
  zero: "",
  decode: (value) => (typeof value === "string" ? value : new Mismatch(value, "string")),
};

/** A string that may be left out, which is something else than an empty one. */
export const goStringIfGiven: StructField<string | undefined> = { zero: undefined, decode: goString.decode };

export const goBool: StructField<boolean> = {
  zero: false,
  decode: (value) => (typeof value === "boolean" ? value : new Mismatch(value, "bool")),
};

/** A whole number within ±(2^53 - 1), written as one: `1.0` and `1e2` are refused as in Go. */
export const goInt: StructField<number> = {
  zero: 0,
  decode: (value) => {
    if (numberText(value) === "-0") return 0;
    return typeof value === "number" && Number.isSafeInteger(value) ? value : new Mismatch(value, "int");
  },
};

export const goStrings: StructField<readonly string[]> = {
  zero: [],
  decode: (value) => {
    if (!Array.isArray(value)) return new Mismatch(value, "[]string");
    const wrong = value.find((element) => element !== null && typeof element !== "string");
    if (wrong !== undefined) return new Mismatch(wrong, "string");
    return value.map((element) => (typeof element === "string" ? element : goString.zero));
  },
};

/**
 * A schema that gives every field of the struct. `name` and the names of the fields stand in errors as they are here;
 * `undefined`, the empty body, is the zero struct.
 */
export function struct<T extends object>(
  name: string,
  fields: { readonly [K in keyof T]: StructField<T[K]> },
): v.GenericSchema<unknown, T> {
  const byName = new Map<string, [string, StructField<unknown>]>();
  for (const [key, field] of Object.entries<StructField<unknown>>(fields)) byName.set(key.toLowerCase(), [key, field]);
  const zeros = Object.fromEntries(Array.from(byName.values(), ([key, field]) => [key, field.zero]));

  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const output: Record<string, unknown> = { ...zeros };
      const refuse = (kind: string, where: string): never => {
        addIssue({
          message: malformed(`json: cannot unmarshal ${kind} into Go ${where}`).message,
          received: "",
        });
        return NEVER;
      };
      const input = dataset.value ?? {};
      if (!isObject(input)) return refuse(kindOf(input), `value of type http.${name}`);
      for (const [sent, value] of Object.entries(input)) {
        const [key, field] = byName.get(sent.toLowerCase()) ?? [];
        if (key === undefined || field === undefined || value === null) continue;
        const decoded = field.decode(value);
        if (decoded instanceof Mismatch) {
          return refuse(decoded.kind, `struct field ${name}.${key} of type ${decoded.goType}`);
        }
        output[key] = decoded;
      }
      // Every key of T is in `zeros`, and each decoder gives its own type.
      return output as T;
    }),
  );
}
