import type { Driver } from "../../storage/driver.ts";
import { aroundDriver } from "../around-driver.ts";
import type { Clock } from "../clock.ts";
import type { Metrics } from "./metrics.ts";

/** `driver`, whose operations are timed. What they answer is passed on untouched. */
export function meteredDriver(driver: Driver, metrics: Metrics, clock: Clock): Driver {
  return aroundDriver(
    driver,
    async (operation, _key, act) => {
      const started = clock.monotonic();
      let failed = true;
      try {
        const result = await act();
        failed = false;
        return result;
      } finally {
        metrics.stored(operation, clock.monotonic() - started, failed);
      }
    },
    () => metrics.stored("get", 0, false),
  );
}
