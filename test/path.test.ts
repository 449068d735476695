import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";

import { parsePath, parseQuery, type Query, type Refusal } from "../core/http/path.ts";

const NOT_FOUND: Refusal = { refuse: { status: 404, errors: [] } };
const UNPRINTABLE: Refusal = { refuse: { status: 400 } };
const RELATIVE: Refusal = { refuse: { status: 400, errors: ["relative paths not supported"] } };
const EMPTY_SEGMENT: Refusal = { refuse: { status: 400, errors: ["empty path segments not supported"] } };
const BAD_QUERY: Refusal = { refuse: { status: 400, errors: [] } };

describe("parsePath", () => {
  test.each([
    ["/v1/sys/health", "sys/health"],
    ["/v1/", ""],
    ["/v1/kv/", "kv/"],
    ["/v1/kv%2Fa", "kv/a"],
    ["/%76%31/kv/a", "kv/a"],
    ["/v1/kv/a+b", "kv/a+b"],
    ["/v1/kv/a%20b", "kv/a b"],
    ["/v1/kv/a b", "kv/a b"],
    ["/v1/kv/a%2520b", "kv/a%20b"],
    ["/v1/kv/%252e%252e", "kv/%2e%2e"],
    ["/v1/kv/%F0%9F%98%80é", "kv/\u{1f600}é"],
    ["/v1/kv/...", "kv/..."],
    ["/v1/kv/.hidden/a..b/c.", "kv/.hidden/a..b/c."],
    ["/v1/kv/a?b", "kv/a?b"],
    ["/v1/__proto__", "__proto__"],
  ])("%s is %j", (raw, path) => {
    expect(parsePath(raw)).toEqual({ path });
  });

  test.each<[raw: string, refusal: Refusal]>([
    ["", NOT_FOUND],
    ["/", NOT_FOUND],
    ["/v1", NOT_FOUND],
    ["/v2/sys/health", NOT_FOUND],
    ["//v1/kv/a", NOT_FOUND],
    ["/../v1/kv", NOT_FOUND],
    ["/v1%", UNPRINTABLE],
    ["/v1/%zz", UNPRINTABLE],
    ["/v1/%ff", UNPRINTABLE],
    ["/v1/%c0%ae%c0%ae/a", UNPRINTABLE],
    ["/v1/%ed%a0%80", UNPRINTABLE],
    ["/v1/\ud800", UNPRINTABLE],
    ["/v1/a%00", UNPRINTABLE],
    ["/v1/a\n", UNPRINTABLE],
    ["/v1/a%0a", UNPRINTABLE],
    ["/v1/%7f", UNPRINTABLE],
    ["/v1/%c2%a0", UNPRINTABLE],
    ["/v1/%e2%80%a8", UNPRINTABLE],
    ["/v1/%ef%bb%bf", UNPRINTABLE],
    ["/%00", UNPRINTABLE],
    ["/v1/kv/../sys/mounts", RELATIVE],
    ["/v1/kv/./a", RELATIVE],
    ["/v1/..", RELATIVE],
    ["/v1/.", RELATIVE],
    ["/v1/kv/..", RELATIVE],
    ["/v1/kv/%2e%2e/a", RELATIVE],
    ["/v1/kv/..%2fa", RELATIVE],
    ["/v1/kv/%2e", RELATIVE],
    ["/v1/kv//a", EMPTY_SEGMENT],
    ["/v1//kv", EMPTY_SEGMENT],
    ["/v1//", EMPTY_SEGMENT],
    ["/v1/kv//", EMPTY_SEGMENT],
    ["/v1/kv%2F/a", EMPTY_SEGMENT],
    ["/v1/%2Fkv", EMPTY_SEGMENT],
  ])("refuses %j", (raw, refusal) => {
    expect(parsePath(raw)).toEqual(refusal);
  });

  test("never gives an empty segment, a dot segment or a character that does not print", () => {
    const pieces = fc.constantFrom(
      "/",
      ".",
      "..",
      "%2e",
      "%2F",
      "%00",
      "%25",
      "%",
      "a",
      "é",
      "\u2028",
      "\ud800",
      "+",
      "~",
    );
    const raw = fc.array(fc.oneof(pieces, fc.string({ unit: "binary" }))).map((parts) => `/v1/${parts.join("")}`);
    fc.assert(
      fc.property(raw, (text) => {
        const result = parsePath(text);
        if ("refuse" in result) return;
        const segments = result.path.replace(/(?<=[^/])\/$/, "").split("/");
        if (result.path !== "") expect(segments).not.toContain("");
        expect(segments).not.toContain(".");
        expect(segments).not.toContain("..");
        expect(result.path).not.toMatch(/\p{C}/u);
        expect(result.path).toBe(decodeURIComponent(text.slice("/v1/".length)));
      }),
      { numRuns: 5000 },
    );
  });

  test("takes every well-formed path of printable segments, whatever its spelling", () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9 %+é\u{1f600}?#&-]{1,8}$/u);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), fc.boolean(), (segments, isFolder) => {
        const path = segments.join("/") + (isFolder ? "/" : "");
        expect(parsePath(`/v1/${encodeURI(path)}`)).toEqual({ path });
        expect(parsePath(`/v1/${encodeURIComponent(path)}`)).toEqual({ path });
      }),
    );
  });
});

describe("parseQuery", () => {
  const none: Query = { data: {}, list: false, scan: false, help: false };

  test.each<[search: string, query: Query]>([
    ["", none],
    ["?list=", none],
    ["?list", none],
    ["?list=0&scan=F", none],
    ["?list=true", { ...none, list: true }],
    ["list=1&list=no", { ...none, list: true }],
    ["?scan=T&list=false", { ...none, scan: true }],
    ["?help=1", { ...none, help: true }],
    ["?help=", none],
    ["?list=t&after=a%20b+c&limit=5", { ...none, list: true, data: { after: "a b c", limit: "5" } }],
    ["?a=1&b=2&a=3&a=", { ...none, data: { a: ["1", "3", ""], b: "2" } }],
  ])("%j", (search, query) => {
    expect(parseQuery(search)).toEqual(query);
  });

  test.each(["?list=yes", "?scan=2", "?list=true&scan=true", "?list=tRue", "?list=%20"])("refuses %j", (search) => {
    expect(parseQuery(search)).toEqual(BAD_QUERY);
  });

  test("takes __proto__ for a name like any other", () => {
    const query = parseQuery("?__proto__=a&constructor=b");
    expect("data" in query && Object.entries(query.data)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });

  test("takes any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (search) => {
        expect(parseQuery(search)).toBeObject();
      }),
    );
  });
});
