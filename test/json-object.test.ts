import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { InvalidInput } from "../core/http/json-error.ts";
import { objectOf, type ObjectText, parseObject, parseObjectText } from "../core/http/json.ts";
import { mutatedBodies } from "./json-bodies.ts";

const encoder = new TextEncoder();
const refused = (detail: string) => new InvalidInput(`failed to decode JSON input: ${detail}`);

describe("parseObject", () => {
  test("takes an object, and nothing for an empty one", () => {
    expect(parseObject(encoder.encode('{"a":1}'))).toEqual({ a: 1 });
    expect(parseObject(encoder.encode(" null"))).toEqual({});
    expect(parseObject(new Uint8Array())).toEqual({});
  });

  test.each([
    ["[]", "array"],
    ['"x"', "string"],
    ["1", "number"],
    ["1.0", "number"],
    ["true", "bool"],
  ])("refuses %s", (body, kind) => {
    const text = `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`;
    expect(() => parseObject(encoder.encode(body))).toThrow(refused(text));
  });
});

describe("parseObjectText", () => {
  test("gives the text as it is, with its numbers and the order of its keys", () => {
    const text = '{"b":1.0,"a":23456789012345678901234567890,"10":{"z":"\\u003c"},"2":[]}';
    expect(parseObjectText(encoder.encode(` ${text} {}`))).toEqual({ text, isAscii: true, unusualNumber: true });
    expect(parseObjectText(encoder.encode(" null")).text).toBe("{}");
    expect(() => parseObjectText(encoder.encode("[1]"))).toThrow("cannot unmarshal array");
  });

  test.each([
    ["a key", '{"\u00e9":1}'],
    ["a value", '{"a":["\u00e9"]}'],
    ["beyond U+FFFF", '{"a":"\u{1f600}"}'],
  ])("never takes for ASCII what is not: %s", (_name, text) => {
    expect(parseObjectText(encoder.encode(text))).toMatchObject({ text, isAscii: false });
  });

  test("never takes for ASCII what is not UTF-8", () => {
    const bytes = Uint8Array.of(...encoder.encode('{"a":"'), 0xff, ...encoder.encode('"}'));
    expect(parseObjectText(bytes)).toMatchObject({ text: '{"a":"\ufffd"}', isAscii: false });
  });

  test("takes and refuses what parseObject does, and means the same", () => {
    fc.assert(
      fc.property(mutatedBodies(), (bytes) => {
        const { text: made = "", isAscii } = (outcome(() => parseObjectText(bytes)) ?? {}) as Partial<ObjectText>;
        if (isAscii === true) expect(made).toMatch(/^[\0-\x7f]*$/);
        const whole = outcome(() => parseObject(bytes));
        expect(outcome(() => parseObject(encoder.encode(parseObjectText(bytes).text)))).toEqual(whole);
        expect(outcome(() => objectOf(parseObjectText(bytes)))).toEqual(whole);
      }),
      { numRuns: 2000 },
    );
  });
});

function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
