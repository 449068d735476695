import type { Driver } from "../../storage/driver.ts";
import type { Clock } from "../clock.ts";
import type { Metrics, StorageOperation } from "./metrics.ts";

/** `driver`, whose operations are timed. What they answer is passed on untouched. */
export function meteredDriver(driver: Driver, metrics: Metrics, clock: Clock): Driver {
  const timed = <T>(operation: StorageOperation, act: () => Promise<T>): Promise<T> => {
    const started = clock.monotonic();
    const promise = act();
    const ended = (failed: boolean) => () => metrics.stored(operation, clock.monotonic() - started, failed);
    // Beside what the caller waits for, which is no later for it.
    void promise.then(ended(false), ended(true));
    return promise;
  };
  return {
    get type() {
      return driver.type;
    },
    get maxValue() {
      return driver.maxValue;
    },
    get exclusive() {
      return driver.exclusive;
    },
    get: (key) => timed("get", () => driver.get(key)),
    put: (key, value) => timed("put", () => driver.put(key, value)),
    swap: (key, was, value) => timed("swap", () => driver.swap(key, was, value)),
    delete: (key) => timed("delete", () => driver.delete(key)),
    list: (prefix, page) => timed("list", () => driver.list(prefix, page)),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}
