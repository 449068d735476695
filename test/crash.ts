import type { Driver } from "../storage/driver.ts";
import { memoryOver, wrapDriver } from "./harness.ts";

/** A driver of a process that dies at one of its operations: that one and all after it reject. */
export interface Mortal {
  readonly driver: Driver;
  /** Counts operations from now on, and dies at the `k`th; `landed`: after the storage has done it. */
  dieAt(k: number, landed: boolean): void;
  readonly dead: boolean;
}

export function mortal(driver: Driver): Mortal {
  let [left, lands, dead] = [Infinity, false, false];
  return {
    dieAt(k, landed) {
      left = k;
      lands = landed;
    },
    get dead() {
      return dead;
    },
    driver: wrapDriver(driver, async (operation, key, act) => {
      left -= 1;
      if (dead || left <= 0) {
        const isLast = !dead;
        dead = true;
        if (isLast && lands) await act();
        throw new Error(`died at ${operation} ${key}`);
      }
      return act();
    }),
  };
}

export interface Crash {
  /** What the storage held when the process died, for the next one. */
  readonly store: Map<string, Uint8Array>;
  /** Whether who asked was told that it is done. */
  readonly acknowledged: boolean;
  readonly name: string;
}

/**
 * Runs `act` on a copy of `store` once for every storage operation that it makes, and dies at that one: before the
 * storage has done it, and after. `act` arms the driver when what comes before is over. `check` sees what is left.
 * Returns how often it died.
 */
export async function forEveryCrash(
  store: ReadonlyMap<string, Uint8Array>,
  act: (driver: Driver, arm: () => void) => Promise<unknown>,
  check: (crash: Crash) => Promise<void>,
): Promise<number> {
  let crashes = 0;
  for (const landed of [false, true]) {
    for (let k = 1; ; k += 1) {
      const copy = new Map(store);
      const process = mortal(memoryOver(copy));
      const [outcome] = await Promise.allSettled([act(process.driver, () => process.dieAt(k, landed))]);
      if (!process.dead && outcome.status === "rejected") throw outcome.reason;
      const name = `died ${landed ? "after" : "before"} operation ${k}`;
      await check({ store: copy, acknowledged: outcome.status === "fulfilled", name });
      if (!process.dead) break;
      crashes += 1;
    }
  }
  return crashes;
}
