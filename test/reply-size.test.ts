import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { replySize } from "../core/http/reply-size.ts";
import { parseObjectText } from "../core/http/json.ts";
import { utf8 } from "../core/encoding.ts";

/** Nothing that JSON writes as an escape. */
const plain = fc.string({ unit: fc.constantFrom("a", "b", "/", " ", "é", "€") });

test("a reply of data is about as large as its text", () => {
  const { data } = fc.letrec<{ data: unknown }>((tie) => ({
    data: fc.oneof(
      plain,
      fc.integer({ min: -9999, max: 9999 }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("data"), { maxLength: 20 }),
      fc.dictionary(plain, tie("data"), { maxKeys: 20 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(plain, data), (object) => {
      const { length } = JSON.stringify(object);
      expect(replySize({ kind: "data", data: object })).toBeWithin(length / 2, 3 * length + 1);
    }),
  );
  const keys = Array.from({ length: 1000 }, (_, index) => `key ${index}`);
  const { length } = JSON.stringify({ keys });
  expect(replySize({ kind: "data", data: { keys } })).toBeWithin(length, 1.01 * length);
});

test("a reply of text is as large as that", () => {
  expect(replySize({ kind: "text", text: "abc", contentType: "text/plain" })).toBe(3);
  expect(replySize({ kind: "json", json: parseObjectText(utf8('{"a":"b"}')) })).toBe(9);
  expect(replySize({ kind: "empty" })).toBe(0);
});
