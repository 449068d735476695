import type { Driver } from "../../storage/driver.ts";
import { aroundDriver, type StorageOperation } from "../around-driver.ts";
import type { Clock } from "../clock.ts";
import type { Soon } from "../soon.ts";
import type { Metrics } from "./metrics.ts";

/** `driver`, whose operations are timed. What they answer is passed on untouched. */
export function meteredDriver(driver: Driver, metrics: Metrics, clock: Clock): Driver {
  const timed = async <T>(operation: StorageOperation, act: () => Promise<T>, started = clock.monotonic()) => {
    let failed = true;
    try {
      const result = await act();
      failed = false;
      return result;
    } finally {
      metrics.stored(operation, clock.monotonic() - started, failed);
    }
  };
  return aroundDriver(
    driver,
    (operation, _key, act) => timed(operation, act),
    (act) => {
      const started = clock.monotonic();
      let value: Soon<Uint8Array | undefined>;
      try {
        value = act();
      } catch (error) {
        return timed("get", () => Promise.reject(error), started);
      }
      if (value instanceof Promise) return timed("get", () => value, started);
      metrics.stored("get", clock.monotonic() - started, false);
      return value;
    },
  );
}
