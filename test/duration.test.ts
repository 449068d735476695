import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";

import { formatDurationShort, InvalidDuration, parseDuration } from "../core/duration.ts";
import { growth, PROPORTIONAL } from "./growth.ts";

/** The most whole seconds that int64 nanoseconds hold. */
const MAX_SECONDS = 9_223_372_036;

/** Go's time.ParseDuration, divided by time.Second. */
const GO_PARSED: readonly [text: string, seconds: number][] = [
  ["0", 0],
  ["+0", 0],
  ["-0", 0],
  ["1s", 1],
  ["-1s", -1],
  ["1m", 60],
  ["1h", 3600],
  ["1h30m", 5400],
  ["1.5h", 5400],
  ["-1.5h", -5400],
  [".5s", 0],
  ["5.s", 5],
  ["1.999999999s", 1],
  ["-1.999999999s", -1],
  ["300ms", 0],
  ["1500ms", 1],
  ["1us", 0],
  ["1000000us", 1],
  ["1000000\u00b5s", 1],
  ["2000000\u03bcs", 2],
  ["1000000000ns", 1],
  ["999999999ns", 0],
  ["-0.5s", 0],
  ["+5m", 300],
  ["1h1h1h", 10_800],
  ["3m2h", 7380],
  ["0.1h", 360],
  ["0.000000001h", 0],
  ["0.3333333333333333333h", 1200],
  ["1.00000000000000000000000001s", 1],
  ["0.9223372036854775807h", 3320],
  ["00000000000000000000000001s", 1],
  ["2562047h47m16s", MAX_SECONDS],
  ["2562047h47m16.854775807s", MAX_SECONDS],
  ["-2562047h47m16.854775808s", -MAX_SECONDS],
  ["9223372036854775807ns", MAX_SECONDS],
  ["-9223372036854775808ns", -MAX_SECONDS],
  ["39h9m14.425s", 140_954],
  ["52763797000ns", 52],
  ["1m0.99999999999999999999s", 61],
];

/** What Go's time.ParseDuration says, without the quoted text and unit. */
const GO_REFUSED: readonly [text: string, message: string][] = [
  ["-", "time: invalid duration"],
  ["+", "time: invalid duration"],
  ["s", "time: invalid duration"],
  [".", "time: invalid duration"],
  ["-.", "time: invalid duration"],
  [".s", "time: invalid duration"],
  ["+.s", "time: invalid duration"],
  ["1.", "time: missing unit in duration"],
  ["1h ", "time: unknown unit in duration"],
  [" 1h", "time: invalid duration"],
  ["1 h", "time: unknown unit in duration"],
  ["1H", "time: unknown unit in duration"],
  ["1w", "time: unknown unit in duration"],
  ["1y", "time: unknown unit in duration"],
  ["1d12h", "time: unknown unit in duration"],
  ["1h30", "time: missing unit in duration"],
  ["abc", "time: invalid duration"],
  ["1..5s", "time: missing unit in duration"],
  ["--1s", "time: invalid duration"],
  ["1s-1s", "time: unknown unit in duration"],
  ["3000000h", "time: invalid duration"],
  ["9223372036854775808ns", "time: invalid duration"],
  ["-9223372036854775809ns", "time: invalid duration"],
  ["9223372036854775.808us", "time: invalid duration"],
  ["9223372036854ms775us808ns", "time: invalid duration"],
  ["-2562047h47m16.854775809s", "time: invalid duration"],
  ["99999999999999999999s", "time: invalid duration"],
  ["1\u00b5", "time: unknown unit in duration"],
  ["0x1h", "time: unknown unit in duration"],
  ["1_0s", "time: unknown unit in duration"],
  ["\uff11s", "time: invalid duration"],
];

/** What Vault's parseutil says besides, without the text. */
const VAULT_REFUSED: readonly [text: string, message: string][] = [
  ["1.5", "time: missing unit in duration"],
  ["1e6", "time: unknown unit in duration"],
  ["9223372036854775808", "time: missing unit in duration"],
  ["12345678901234567890123", "time: invalid duration"],
  ["9223372037", "multiplication of durations resulted in overflow, one operand may be too large"],
  ["106752d", "multiplication of durations resulted in overflow, one operand may be too large"],
  ["d", "strconv.ParseInt: invalid syntax"],
  ["1.5d", "strconv.ParseInt: invalid syntax"],
  ["1h2d", "strconv.ParseInt: invalid syntax"],
  ["99999999999999999999d", "strconv.ParseInt: value out of range"],
];

/** Go's Duration.String() without the units that are zero. */
const GO_FORMATTED: readonly [seconds: number, text: string][] = [
  [0, ""],
  [1, "1s"],
  [-1, "-1s"],
  [59, "59s"],
  [60, "1m"],
  [61, "1m1s"],
  [90, "1m30s"],
  [3599, "59m59s"],
  [3600, "1h"],
  [3605, "1h5s"],
  [3660, "1h1m"],
  [5400, "1h30m"],
  [90_000, "25h"],
  [2_764_800, "768h"],
  [15_552_000, "4320h"],
  [-3605, "-1h5s"],
  [MAX_SECONDS, "2562047h47m16s"],
  [-MAX_SECONDS, "-2562047h47m16s"],
];

describe("parseDuration", () => {
  test.each(GO_PARSED)("%j is %d seconds, as in Go", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each([
    ["", 0],
    ["90", 90],
    ["-90", -90],
    ["+5", 5],
    ["017", 17],
    ["9223372036", MAX_SECONDS],
    ["30d", 2_592_000],
    ["-1d", -86_400],
    ["106751d", 9_223_286_400],
  ] as const)("%j is %d seconds, as in Vault", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each([...GO_REFUSED, ...VAULT_REFUSED])("refuses %j: %s", (text, message) => {
    expect(() => parseDuration(text)).toThrow(new InvalidDuration(message));
  });

  test("gives a safe integer or throws InvalidDuration, for any text", () => {
    const texts = fc.array(fc.constantFrom("1", "09", ".", "h", "m", "s", "ms", "\u00b5s", "d", "-", "+", "e", " "));
    fc.assert(
      fc.property(
        texts.map((parts) => parts.join("")),
        (text) => {
          try {
            const seconds = parseDuration(text);
            expect(Number.isSafeInteger(seconds) && !Object.is(seconds, -0)).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidDuration);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  const zeros = (size: number) => "0".repeat(size);
  test.each([
    ["zeros", zeros],
    ["zeros with another character", (size: number) => `${zeros(size)}x`],
    ["zeros behind a point", (size: number) => `1.${zeros(size)}h`],
    ["zeros of days", (size: number) => `${zeros(size)}d`],
    ["terms", (size: number) => "1ns".repeat(size / 4)],
  ])("takes time in proportion to the text: %s", (_name, textOf) => {
    const parse = (text: string) => {
      try {
        parseDuration(text);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidDuration);
      }
    };
    expect(growth(textOf, parse)).toBeLessThan(PROPORTIONAL);
  });
});

describe("formatDurationShort", () => {
  test.each(GO_FORMATTED)("%d seconds are %j", (seconds, text) => {
    expect(formatDurationShort(seconds)).toBe(text);
  });

  test("is undone by parseDuration", () => {
    fc.assert(
      fc.property(fc.integer({ min: -MAX_SECONDS, max: MAX_SECONDS }), (seconds) => {
        expect(parseDuration(formatDurationShort(seconds))).toBe(seconds);
      }),
    );
  });
});
