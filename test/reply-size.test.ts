import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { hashLeaves, hashWith } from "../core/audit/leaves.ts";
import { utf8 } from "../core/encoding.ts";
import { parseObjectText } from "../core/http/json.ts";
import { replySize } from "../core/http/reply-size.ts";

const hash = hashWith(new Uint8Array(32));
/** Nothing that JSON writes as an escape. */
const plain = fc.string({ unit: fc.constantFrom("a", "b", "/", " ", "é", "€") });
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

test("a reply of data is about as large as its part of an audit line", () => {
  fc.assert(
    fc.property(fc.dictionary(plain, data), (object) => {
      const { length } = hashLeaves(object, hash);
      expect(replySize({ kind: "data", data: object })).toBeWithin(length / 2, 5 * length + 1);
    }),
  );
  const keys = Array.from({ length: 1000 }, (_, index) => `key ${index}`);
  const { length } = hashLeaves({ keys }, hash);
  expect(replySize({ kind: "data", data: { keys } })).toBeWithin(length, 1.01 * length);
});

test("a new token counts with its hashes", () => {
  expect(replySize({ kind: "auth", auth: { client_token: "hvs.a", accessor: "b" } })).toBeGreaterThan(2 * 76);
});

test("a secret counts at least as much as its part of an audit line, and a large text no more than itself", () => {
  const sizeOf = (value: unknown) =>
    replySize({ kind: "json", json: parseObjectText(utf8(JSON.stringify({ value }))) });
  const strings = Array.from({ length: 900 }, () => "");
  expect(sizeOf(strings)).toBeGreaterThanOrEqual(hashLeaves({ value: strings }, hash).length);
  expect(sizeOf("x".repeat(1_000_000))).toBeWithin(1_000_000, 1_080_000);
  expect(replySize({ kind: "text", text: "abc", contentType: "text/plain" })).toBe(3);
  expect(replySize({ kind: "empty" })).toBe(0);
  fc.assert(
    fc.property(fc.dictionary(plain, data), (object) => {
      const json = parseObjectText(utf8(JSON.stringify(object)));
      const size = replySize({ kind: "json", json });
      expect(size).toBeGreaterThanOrEqual(json.text.length);
      expect(size).toBeGreaterThanOrEqual(hashLeaves(object, hash).length);
    }),
  );
});
