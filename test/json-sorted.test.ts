import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";

import { byUtf8, stringifySorted } from "../core/http/json-sorted.ts";
import { parseBody } from "../core/http/json.ts";

const encoder = new TextEncoder();
const parse = (text: string) => parseBody(encoder.encode(text));

describe("stringifySorted", () => {
  test("orders keys by their bytes at every level and keeps the numbers' text", () => {
    const text =
      '{"b":{"10":1,"2":1.0,"1":-0},"__proto__":[{"z":1,"a":null}],"\uffff":1,"\u{1f600}":2,"é":true,"Z":"x"}';
    expect(stringifySorted(parse(text))).toBe(
      '{"Z":"x","__proto__":[{"a":null,"z":1}],"b":{"1":-0,"10":1,"2":1.0},"é":true,"\uffff":1,"\u{1f600}":2}',
    );
  });

  test("writes the same value, whatever the order of its keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = stringifySorted(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(stringifySorted(parse(text) ?? null)).toBe(text);
      }),
    );
  });

  test("byUtf8 is the order of the encoded bytes", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(byUtf8(a, b))).toBe(Buffer.compare(encoder.encode(a), encoder.encode(b)));
      }),
      { numRuns: 2000 },
    );
  });
});
