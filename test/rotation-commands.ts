import * as fc from "fast-check";
import type { Fate } from "./barrier-store.ts";
import type { Change } from "./rotation-step.ts";

export const NODES = 2;
/** The least that the tests' servers let `max_operations` be. */
export const MIN_OPERATIONS = 40;

const node = fc.integer({ min: 0, max: NODES - 1 });
const DAY = 86_400;

const change: fc.Arbitrary<Change> = fc.record(
  {
    max_operations: fc.constantFrom(MIN_OPERATIONS, 130, 200, 1000, 3_865_470_566),
    interval: fc.constantFrom(0, DAY, 2 * DAY),
    enabled: fc.boolean(),
  },
  { requiredKeys: [] },
);

/** What is done to two servers over one store. Nothing is waited for but by `let go`. */
export const commands = fc.array(
  fc.oneof(
    command(10, { act: fc.constant("put" as const), node, times: fc.integer({ min: 1, max: 15 }) }),
    command(4, { act: fc.constant("rotate" as const), node }),
    command(5, { act: fc.constant("configure" as const), node, change }),
    command(3, { act: fc.constant("status" as const), node }),
    command(2, { act: fc.constant("seal" as const), node }),
    command(2, {
      act: fc.constant("die" as const),
      node,
      /** How many operations it still begins. */
      after: fc.integer({ min: 1, max: 30 }),
      lastIsDone: fc.boolean(),
    }),
    command(2, {
      act: fc.constant("fate" as const),
      fate: fc.constantFrom<Fate>("unknown, not written", "unknown, written"),
    }),
    command(3, {
      act: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 500, 4999, 5000, 30_000, DAY * 1000),
    }),
    command(12, { act: fc.constant("let go" as const), times: fc.integer({ min: 1, max: 60 }) }),
  ),
  { maxLength: 120, size: "max" },
);
export type Command = typeof commands extends fc.Arbitrary<(infer C)[]> ? C : never;

function command<T>(weight: number, fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return { weight, arbitrary: fc.record(fields) as fc.Arbitrary<T> };
}
