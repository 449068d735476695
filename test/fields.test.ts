import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import * as v from "valibot";

import {
  anyObject,
  bool,
  durationSeconds,
  type Field,
  int,
  int64,
  kvPairs,
  logical,
  parseBool,
  string,
  stringArray,
  unknownFields,
  validate,
} from "../core/http/fields.ts";
import { InvalidInput } from "../core/http/json-error.ts";
import { parseObject, stringify } from "../core/http/json.ts";
import { growth, PROPORTIONAL } from "./growth.ts";

const body = (text: string) => parseObject(new TextEncoder().encode(text));

/** The field `x` of a body, given as JSON text. */
function decode<T>(field: Field<T>, json: string): T | undefined {
  return validate(logical({ x: field }), body(`{"x":${json}}`)).x;
}

const NUMBER_FORMS = ["1.5", "1.0", "1e6", "1E5", '"5.0"', '"1e3"', '"x"', '" 5"', '"1__0"', '"_1"', '"0_8"', '"true"'];
const TOO_LARGE = ["9007199254740992", "-9007199254740993", '"9223372036854775807"', "12345678901234567890123"];

describe("int", () => {
  test.each([
    ["5", 5],
    ["-5", -5],
    ["-0", 0],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["null", 0],
    ['""', 0],
    ["true", 1],
    ["false", 0],
    ['"5"', 5],
    ['"+5"', 5],
    ['"-0"', 0],
    ['"0x1E8480"', 2_000_000],
    ['"0X_10"', 16],
    ['"1_000_000"', 1_000_000],
    ['"0b11"', 3],
    ['"0o17"', 15],
    ['"017"', 15],
    ['"-0x10"', -16],
  ] as const)("takes %s for %d", (json, value) => {
    expect(decode(int(), json)).toBe(value);
  });

  test.each(NUMBER_FORMS)("refuses %s", (json) => {
    expectRefusal(int64(), json, "'' cannot parse value as 'int64': strconv.ParseInt: invalid syntax");
  });

  test.each(TOO_LARGE)("refuses %s, which a double cannot hold", (json) => {
    expectRefusal(int(), json, "'' cannot parse value as 'int': strconv.ParseInt: value out of range");
  });

  test("refuses lists and objects", () => {
    expectRefusal(int64(), "[1]", "'' expected type 'int64', got unconvertible type '[]interface {}'");
    expectRefusal(int(), '{"a":1}', "'' expected type 'int', got unconvertible type 'map[string]interface {}'");
  });

  test.each([
    ["1_", "invalid syntax"],
    ["9", "value out of range"],
  ])("takes a long text of %j apart in time proportional to its length", (digits, why) => {
    const jsonOf = (size: number) => `"${digits.repeat(size / digits.length)}"`;
    const refuse = (json: string) =>
      expectRefusal(int(), json, `'' cannot parse value as 'int': strconv.ParseInt: ${why}`);
    expect(growth(jsonOf, refuse)).toBeLessThan(PROPORTIONAL);
  });
});

describe("bool", () => {
  test.each(["true", '"true"', '"True"', '"TRUE"', '"t"', '"T"', '"1"', "1"])("takes %s for true", (json) => {
    expect(decode(bool(), json)).toBe(true);
  });

  test.each(["false", '"false"', '"False"', '"FALSE"', '"f"', '"F"', '"0"', "0", "null", '""'])(
    "takes %s for false",
    (json) => {
      expect(decode(bool(), json)).toBe(false);
    },
  );

  test.each(["2", "1.0", "-0", '"yes"', '"tRue"', '" true"'])("refuses %s", (json) => {
    expectRefusal(bool(), json, "'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax");
  });

  test("refuses lists", () => {
    expectRefusal(bool(), "[]", "'' expected type 'bool', got unconvertible type '[]interface {}'");
  });

  test("parseBool knows no empty text", () => {
    expect(parseBool("")).toBeUndefined();
  });
});

describe("string", () => {
  test.each([
    ['" a "', " a "],
    ['""', ""],
    ["null", ""],
    ["true", "1"],
    ["false", "0"],
    ["5", "5"],
    ["1.0", "1.0"],
    ["12345678901234567890123", "12345678901234567890123"],
  ])("takes %s for %j", (json, value) => {
    expect(decode(string(), json)).toBe(value);
  });

  test("refuses lists and objects", () => {
    expectRefusal(string(), "[]", "'' expected type 'string', got unconvertible type '[]interface {}'");
    expectRefusal(string(), "{}", "'' expected type 'string', got unconvertible type 'map[string]interface {}'");
  });
});

describe("durationSeconds", () => {
  test.each([
    ["90", 90],
    ['"90"', 90],
    ['"1h30m"', 5400],
    ['"30d"', 2_592_000],
    ['"24h0m0.5s"', 86_400],
    ['"-0.5s"', 0],
    ["null", 0],
    ['""', 0],
  ] as const)("takes %s for %d seconds", (json, value) => {
    expect(decode(durationSeconds(), json)).toBe(value);
  });

  test.each([
    ['"abc"', "time: invalid duration"],
    ["1.5", "time: missing unit in duration"],
    ["1e6", "time: unknown unit in duration"],
    ['"1w"', "time: unknown unit in duration"],
    ["-1", "cannot provide negative value"],
    ['"-1h"', "cannot provide negative value"],
    ["true", "could not parse duration from input"],
    ["[1]", "could not parse duration from input"],
    ["{}", "could not parse duration from input"],
    ['"9223372037"', "multiplication of durations resulted in overflow, one operand may be too large"],
  ])("refuses %s: %s", (json, tail) => {
    expectRefusal(durationSeconds(), json, tail);
  });
});

describe("lists", () => {
  test.each([
    ["null", []],
    ['""', []],
    ["[]", []],
    ["{}", []],
    ['["a"," b ,c"]', ["a", "b ,c"]],
    ['["a",1.0,true,null]', ["a", "1.0", "1", ""]],
    ['" a , b ,"', ["a , b ,"]],
    ["5", ["5"]],
    ["false", ["0"]],
  ] as const)("%s is %j", (json, list) => {
    expect(decode(stringArray(), json)).toEqual([...list]);
  });

  test.each([
    ['{"a":1}', "'[0]'", "map[string]interface {}"],
    ['["a",["b"],{}]', "'[1]'", "[]interface {}"],
  ])("refuses %s at %s", (json, place, type) => {
    const tail = `decoding failed due to the following error(s):\n\n${place} expected type 'string', got unconvertible type '${type}'`;
    expectRefusal(stringArray(), json, tail);
  });
});

describe("kvPairs", () => {
  test.each([
    ["null", "{}"],
    ['""', "{}"],
    ["{}", "{}"],
    ["[]", "{}"],
    ['{"a":1.0,"b":true,"c":null,"__proto__":"x"}', '{"a":"1.0","b":"1","c":"","__proto__":"x"}'],
    ['["a=b","c=d=e","__proto__=x","f="]', '{"a":"b","c":"d=e","__proto__":"x","f":""}'],
    ['"a=b"', '{"a":"b"}'],
  ])("takes %s for %s", (json, pairs) => {
    expect(JSON.stringify(decode(kvPairs(), json))).toBe(pairs);
  });

  test.each(['"x"', '"=b"', '["a=b","x"]', "1", '"{\\"a\\":\\"b\\"}"'])("refuses %s", (json) => {
    expectRefusal(kvPairs(), json, "invalid key pair");
  });

  test("refuses an object within", () => {
    const tail = "'[0]' expected type 'string', got unconvertible type 'map[string]interface {}'";
    expectRefusal(kvPairs(), '{"a":{"b":1}}', `decoding failed due to the following error(s):\n\n${tail}`);
  });
});

describe("anyObject", () => {
  test("takes any JSON object as it is", () => {
    const text = '{"1":1.0,"__proto__":{"a":1},"prototype":2,"constructor":3}';
    expect(stringify(decode(anyObject(), text))).toBe(text);
    expect(decode(anyObject(), "null")).toEqual({});
  });

  test.each([
    ['"x"', "string"],
    ["[]", "[]interface {}"],
    ["1.0", "json.Number"],
    ["true", "bool"],
  ])("refuses %s", (json, type) => {
    expectRefusal(anyObject(), json, `'' expected type 'map[string]interface {}', got unconvertible type '${type}'`);
  });
});

describe("logical", () => {
  const schema = logical({ max_operations: int64(), enabled: bool() });

  test("leaves absent fields absent and copies no unknown ones", () => {
    const input = body('{"enabled":"t","zz":1,"__proto__":2,"Enabled":3,"\u{1f600}":4,"\uffff":5}');
    expect(validate(schema, input)).toEqual({ enabled: true });
    expect(Object.keys(validate(schema, input))).toEqual(["enabled"]);
    expect(unknownFields(schema, input)).toEqual(["Enabled", "__proto__", "zz", "\uffff", "\u{1f600}"]);
    expect(unknownFields(schema, body("{}"))).toEqual([]);
  });

  test("tells what was expected, not what came, when an issue is Valibot's own", () => {
    const own = v.object({ x: v.optional(v.picklist(["a", "b"])), y: v.optional(v.pipe(v.string(), v.minLength(9))) });
    const message = 'Field validation failed: error converting input for field "x": expected ("a" | "b")';
    expect(() => validate(own, { x: "hunter2" })).toThrow(new InvalidInput(message));
    expect(() => validate(own, { y: "hunter2" })).toThrow(
      new InvalidInput(message.replace(/"x".*/, '"y": expected >=9')),
    );
    const whole = v.pipe(
      anyObject(),
      v.check(() => false, "missing data fields"),
    );
    expect(() => validate(whole, { x: "hunter2" })).toThrow(new InvalidInput("missing data fields"));
    const silent = v.pipe(
      string(),
      v.check(() => false),
    );
    expect(() => validate(silent, "hunter2")).toThrow(new InvalidInput("expected another value"));
  });

  test("takes any JSON value or throws an InvalidInput that does not hold it", () => {
    const fields = [int(), int64(), bool(), string(), durationSeconds(), stringArray(), kvPairs()];
    const text = fc
      .array(fc.constantFrom("1", "9", "h", "_", "x", ".", "-", "e", "=", ","))
      .map((parts) => parts.join(""));
    const value = fc.oneof(fc.jsonValue(), text).map((inner) => JSON.stringify(inner));
    fc.assert(
      fc.property(fc.constantFrom(...fields, anyObject()), value, (field: Field<unknown>, json) => {
        try {
          expect(decode(field, json)).toBeDefined();
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
          const message = error instanceof Error ? error.message : "";
          expect(message.startsWith('Field validation failed: error converting input for field "x": ')).toBe(true);
          expect(message.replaceAll("int64", "")).not.toMatch(/[0-9](?!\])/);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

function expectRefusal(field: Field<unknown>, json: string, tail: string): void {
  const message = `Field validation failed: error converting input for field "x": ${tail}`;
  expect(() => decode(field, json)).toThrow(new InvalidInput(message));
}
