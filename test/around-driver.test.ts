/** What stands around a driver, which may answer or fail at once, or later. */
import { describe, expect, test } from "bun:test";
import { namingDamage } from "../core/barrier/damage.ts";
import { meteredDriver } from "../core/metrics/metered-driver.ts";
import { DamagedEntry, type Driver, StoreError } from "../storage/driver.ts";
import { openMemory } from "../storage/memory.ts";
import { rejection, testClock } from "./harness.ts";

/** A driver whose reads fail. */
function failing(error: Error, isAtOnce: boolean): Driver {
  const fail = () => {
    if (isAtOnce) throw error;
    return Promise.reject(error);
  };
  return { ...openMemory(), maxValue: 1024, type: "inmem", exclusive: true, get: fail, list: fail };
}

describe.each([
  ["at once", true],
  ["later", false],
])("of reads that fail %s", (_when, isAtOnce) => {
  test("damage is named", async () => {
    const entry = namingDamage(failing(new DamagedEntry("core/mounts"), isAtOnce));
    expect((await rejection(Promise.try(() => entry.get("core/mounts")))).message).toContain(
      "the entry at core/mounts",
    );
    const store = namingDamage(failing(new StoreError("it is damaged", "restore it"), isAtOnce));
    expect(await rejection(Promise.try(() => store.list("")))).toMatchObject({
      code: "damaged",
      message: "it is damaged",
    });
  });

  test("each is counted, and fails as it failed", async () => {
    const seen: (readonly [string, boolean])[] = [];
    const error = new Error("out of reach");
    const driver = meteredDriver(
      failing(error, isAtOnce),
      { stored: (operation: string, _ms: number, failed: boolean) => seen.push([operation, failed]) } as never,
      testClock(),
    );
    expect(await rejection(Promise.try(() => driver.get("a")))).toBe(error);
    expect(await rejection(Promise.try(() => driver.list("")))).toBe(error);
    expect(seen).toEqual([
      ["get", true],
      ["list", true],
    ]);
  });
});
