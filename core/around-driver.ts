import type { Driver } from "../storage/driver.ts";

export type StorageOperation = "get" | "put" | "swap" | "delete" | "list";

/**
 * A driver that asks `around` about every operation on `driver`; what it says of itself is passed on. `around` runs the
 * operation by `act`, and may wait, or throw before or after. `onPeek` is told of each value that was at hand; without it
 * none is, so that every read is asked about.
 */
export function aroundDriver(
  driver: Driver,
  around: <T>(operation: StorageOperation, key: string, act: () => Promise<T>) => Promise<T>,
  onPeek?: () => void,
): Driver {
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
    get: (key) => around("get", key, () => driver.get(key)),
    ...(onPeek !== undefined && {
      peek(key) {
        const value = driver.peek?.(key);
        if (value !== undefined) onPeek();
        return value;
      },
    }),
    put: (key, value) => around("put", key, () => driver.put(key, value)),
    swap: (key, was, value) => around("swap", key, () => driver.swap(key, was, value)),
    delete: (key) => around("delete", key, () => driver.delete(key)),
    list: (prefix, page) => around("list", prefix, () => driver.list(prefix, page)),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}
