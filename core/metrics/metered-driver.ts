import type { Driver } from "../../storage/driver.ts";
import { aroundDriver } from "../around-driver.ts";
import type { Clock } from "../clock.ts";
import type { Metrics } from "./metrics.ts";

/** `driver`, whose operations are timed. What they answer is passed on untouched. */
export function meteredDriver(driver: Driver, metrics: Metrics, clock: Clock): Driver {
  return aroundDriver(driver, (operation, _key, act) => {
    const started = clock.monotonic();
    const promise = act();
    const ended = (failed: boolean) => () => metrics.stored(operation, clock.monotonic() - started, failed);
    // Beside what the caller waits for, which is no later for it.
    void promise.then(ended(false), ended(true));
    return promise;
  });
}
