import type { Driver } from "../../storage/driver.ts";
import { aroundDriver } from "../around-driver.ts";
import type { Clock } from "../clock.ts";
import { otherwise, soon } from "../soon.ts";
import type { Metrics } from "./metrics.ts";

/** `driver`, whose operations are timed. What they answer is passed on untouched. */
export function meteredDriver(driver: Driver, metrics: Metrics, clock: Clock): Driver {
  return aroundDriver(driver, (operation, _key, act) => {
    const started = clock.monotonic();
    const took = (failed: boolean) => metrics.stored(operation, clock.monotonic() - started, failed);
    const failing = (error: unknown): never => {
      took(true);
      throw error;
    };
    return soon(otherwise(act, failing), (value) => {
      took(false);
      return value;
    });
  });
}
