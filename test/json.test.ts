import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";

import { InvalidInput } from "../core/http/json-error.ts";
import { scanJson } from "../core/http/json-scan.ts";
import { isObject, kindOf, numberText, parseBody, stringify } from "../core/http/json.ts";
import { growth, PROPORTIONAL } from "./growth.ts";
import { mutatedBodies } from "./json-bodies.ts";

const encoder = new TextEncoder();
const parse = (text: string) => parseBody(encoder.encode(text));
const refused = (detail: string) => new InvalidInput(`failed to decode JSON input: ${detail}`);
const tooComplex = (detail: string) => new InvalidInput(`refused JSON input due to high complexity: ${detail}`);
const strings = (count: number) => JSON.stringify(Array.from({ length: count }, () => ""));
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

/** What encoding/json's Decoder says. */
const GO_ERRORS: readonly [body: string, detail: string][] = [
  ["{", "unexpected EOF"],
  ['{"a"', "unexpected EOF"],
  ['{"a":', "unexpected EOF"],
  ['{"a":1', "unexpected EOF"],
  ['{"a":1,', "unexpected EOF"],
  ["[", "unexpected EOF"],
  ['"abc', "unexpected EOF"],
  ['"\\', "unexpected EOF"],
  ['"\\u12', "unexpected EOF"],
  ["tru", "unexpected EOF"],
  ["-", "unexpected EOF"],
  ["1.", "unexpected EOF"],
  ["1e", "unexpected EOF"],
  ["hello", "invalid character 'h' looking for beginning of value"],
  ["\ufeff{}", "invalid character 'ï' looking for beginning of value"],
  ["'a'", "invalid character '\\'' looking for beginning of value"],
  ["\\", "invalid character '\\\\' looking for beginning of value"],
  ["\u0000", "invalid character '\\x00' looking for beginning of value"],
  ["\u007f", "invalid character '\\x7f' looking for beginning of value"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  ["[,", "invalid character ',' looking for beginning of value"],
  ["[1 2]", "invalid character '2' after array element"],
  ["[01]", "invalid character '1' after array element"],
  ["[1}", "invalid character '}' after array element"],
  ['"\u001f', "invalid character '\\x1f' in string literal"],
  ['["a\nb"]', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ["{1:2}", "invalid character '1' looking for beginning of object key string"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['{"a"}', "invalid character '}' after object key"],
  ['{"a":}', "invalid character '}' looking for beginning of value"],
  ['{"a":1 "b"', "invalid character '\"' after object key:value pair"],
  ["[-a]", "invalid character 'a' in numeric literal"],
  ["[1.a]", "invalid character 'a' after decimal point in numeric literal"],
  ["[1e+]", "invalid character ']' in exponent of numeric literal"],
  ["[tree]", "invalid character 'e' in literal true (expecting 'u')"],
  ["[falsy]", "invalid character 'y' in literal false (expecting 'e')"],
  ["nil", "invalid character 'i' in literal null (expecting 'u')"],
];

describe("parseBody", () => {
  test.each(["", " \t\r\n", "null", " null "])("takes %j for no value", (body) => {
    expect(parse(body)).toBeUndefined();
  });

  test.each(GO_ERRORS)("refuses %j: %s", (body, detail) => {
    expect(() => parse(body)).toThrow(refused(detail));
  });

  test("ignores a second value, and refuses other text behind the first", () => {
    expect(parse('{"a":1}{"b":2}')).toEqual({ a: 1 });
    expect(parse('{"a":1} [2] "c"')).toEqual({ a: 1 });
    expect(() => parse('{"a":1}}')).toThrow(refused("invalid character '}' looking for beginning of value"));
    expect(() => parse('{"a":1} x')).toThrow(refused("invalid character 'x' looking for beginning of value"));
    expect(() => parse('{"a":1}{"b"')).toThrow(refused("unexpected EOF"));
  });

  test("refuses a number beyond a double without telling it", () => {
    const text = "json: cannot unmarshal number into Go value of type float64";
    expect(() => parse('{"a":1,"e":1e400}')).toThrow(refused(`${text}: in field "e"`));
    expect(() => parse('{"a":1,"e":[{"f":1e400}]}')).toThrow(refused(`${text}: in field "e"`));
    expect(() => parse("[1e400]")).toThrow(refused(text));
    expect(() => parse(`{"${"n".repeat(200)}":1e400}`)).toThrow(refused(`${text}: in field "${"n".repeat(99)}`));
    expect(() => parse("9".repeat(400))).toThrow(
      refused("json: cannot unmarshal number into Go value of type float64"),
    );
    expect(stringify(parse("1e-400"))).toBe("1e-400");
  });

  test("takes 1000 strings and 500 levels, not one more", () => {
    expect(parse(strings(1000))).toHaveLength(1000);
    expect(() => parse(strings(1001))).toThrow(tooComplex("exceeded maximum number of strings"));
    const keys = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, "v"]));
    expect(parse(JSON.stringify(keys))).toEqual(keys);
    expect(() => parse(JSON.stringify({ ...keys, one: 1 }))).toThrow(tooComplex("exceeded maximum number of strings"));
    expect(stringify(parse(nested(500)))).toBe(nested(500));
    expect(() => parse(nested(501))).toThrow(tooComplex("exceeded maximum depth"));
    expect(() => parse("[".repeat(1 << 20))).toThrow(tooComplex("exceeded maximum depth"));
    expect(() => parse(`${strings(600)}${strings(401)}`)).toThrow(tooComplex("exceeded maximum number of strings"));
  });

  test("takes a string of 32 MiB, not millions of small values", () => {
    expect(parse(`"${"x".repeat(32 << 20)}"`)).toHaveLength(32 << 20);
    const memory = tooComplex("exceeded maximum estimated memory limits");
    expect(() => parse(`[1${",1".repeat(2_000_000)}]`)).toThrow(memory);
    expect(() => parse(`[{}${",{}".repeat(1_000_000)}]`)).toThrow(memory);
  });

  test("replaces invalid UTF-8 and lone surrogates", () => {
    expect(parseBody(new Uint8Array([0x22, 0x61, 0xff, 0x22]))).toBe("a\ufffd");
    expect(parseBody(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe("\ufffd\ufffd\ufffd");
    expect(parse('"\\ud800"')).toBe("\ufffd");
    expect(parse('"\\udc00\\ud800\\u0041"')).toBe("\ufffd\ufffdA");
    expect(parse('"\\ud800\\ud83d\\ude00\\uDC00"')).toBe("\ufffd\u{1f600}\ufffd");
    expect(parse('"\\\\ud800 \\\\\\ud800"')).toBe("\\ud800 \\\ufffd");
    expect(parse('"\\ud83dxude00"')).toBe("\ufffdxude00");
    expect(parse('{"\\ud800":1,"\\udfff":2}')).toEqual({ "\ufffd": 2 });
  });

  test("keeps a BOM within a string", () => {
    expect(parse('"\ufeffa"')).toBe("\ufeffa");
  });

  test("lets the last of duplicate keys win", () => {
    expect(stringify(parse('{"a":1.0,"b":2,"a":{"c":-0}}'))).toBe('{"a":{"c":-0},"b":2}');
    expect(stringify(parse('{"a":[1.0],"a":[2]}'))).toBe('{"a":[2]}');
    expect(stringify(parse('{"a":{"b":1},"a":1.50}'))).toBe('{"a":1.50}');
  });

  test.each(["1", "1.0"])("takes __proto__ and constructor for keys like any other, beside %s", (number) => {
    const text = `{"n":${number},"__proto__":{"polluted":${number}},"constructor":{"prototype":{"x":${number}}}}`;
    const value = parse(text);
    expect(isObject(value) && Object.keys(value)).toEqual(["n", "__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(stringify(value)).toBe(text);
    expect({}).not.toHaveProperty("polluted");
  });

  test("keeps the text of numbers that a double would print otherwise", () => {
    const text = '{"a":[1E5,1.0,-0,-0.0,12345678901234567890123,9007199254740993,1e5,2.50,0.1,1,-7,1e+21,1e-7]}';
    expect(stringify(parse(text))).toBe(text);
    expect(parse("[1,-7,0.25,1e+21,9007199254740991]")).toEqual([1, -7, 0.25, 1e21, 9007199254740991]);
    expect(parse("[1.0,2,0.5]")).toMatchObject([{ rawJSON: "1.0" }, 2, 0.5]);
    expect(numberText(parse("1.0"))).toBe("1.0");
    expect(numberText(parse("-7"))).toBe("-7");
    expect(kindOf(parse("1.0"))).toBe("number");
    expect(numberText(parse('{"rawJSON":"1.0"}'))).toBeUndefined();
    expect(kindOf(parse('{"rawJSON":"1.0"}'))).toBe("object");
  });

  test("round-trips any JSON text", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary" }), (text) => {
        const value = JSON.parse(text);
        expect(parse(text)).toEqual(value ?? undefined);
        expect(stringify(parse(text) ?? null)).toBe(JSON.stringify(value));
      }),
    );
  });

  test("refuses by nothing but InvalidInput, whose text holds at most one character of the body", () => {
    fc.assert(
      fc.property(mutatedBodies(), (bytes) => {
        try {
          expect(stringify(parseBody(bytes) ?? null)).toBeString();
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
          expect(error instanceof Error && error.message).not.toContain("hunter2");
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe("scanJson", () => {
  test("accepts exactly what JSON.parse accepts, but for numbers beyond a double", () => {
    fc.assert(
      fc.property(mutatedBodies(), (bytes) => {
        const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
        expect(scansWholeValue(bytes)).toBe(parsesAsJson(text));
      }),
      { numRuns: 5000 },
    );
  });

  test("finds the ends of the first value", () => {
    const values = fc.json({ stringUnit: "binary" });
    fc.assert(
      fc.property(fc.constantFrom("", " ", "\r\n\t"), values, values, (space, first, second) => {
        const start = space.length;
        const end = start + encoder.encode(first).length;
        expect(scanJson(encoder.encode(`${space}${first} ${second}`))).toMatchObject({ start, end });
      }),
    );
  });

  test.each([
    ["digits", (size: number) => `[${"1".repeat(300)}0.${"1".repeat(size)}]`],
    ["backslashes", (size: number) => `"${"\\\\".repeat(size / 2)}"`],
    ["surrogate escapes", (size: number) => `"${"\\ud800".repeat(size / 6)}"`],
    ["white space", (size: number) => " ".repeat(size)],
    ["values", (size: number) => "1 ".repeat(size / 4)],
  ])("takes time in proportion to the body: %s", (_name, textOf) => {
    expect(growth((size) => encoder.encode(textOf(size)), parseBody)).toBeLessThan(PROPORTIONAL);
  });
});

function scansWholeValue(bytes: Uint8Array): boolean {
  try {
    const scan = scanJson(bytes);
    return scan !== undefined && new TextDecoder().decode(bytes.subarray(scan.end)).trim() === "";
  } catch {
    return false;
  }
}

/** A number beyond a double, which JSON.parse takes for Infinity, is refused. */
function parsesAsJson(text: string): boolean {
  try {
    JSON.parse(text, (_key, value: unknown) => {
      if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError("beyond a double");
      return value;
    });
    return true;
  } catch {
    return false;
  }
}
