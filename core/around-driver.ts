import type { Driver } from "../storage/driver.ts";
import type { Soon } from "./soon.ts";

export type StorageOperation = "get" | "put" | "swap" | "delete" | "list";

/**
 * A driver that asks `around` about every operation on `driver`; what it says of itself is passed on. `around` runs the
 * operation by `act`, and may wait, or throw before or after.
 */
export function aroundDriver(
  driver: Driver,
  around: <T>(operation: StorageOperation, key: string, act: () => Soon<T>) => Soon<T>,
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
    put: async (key, value) => around("put", key, () => driver.put(key, value)),
    swap: async (key, was, value) => around("swap", key, () => driver.swap(key, was, value)),
    delete: async (key) => around("delete", key, () => driver.delete(key)),
    list: (prefix, page) => around("list", prefix, () => driver.list(prefix, page)),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}
