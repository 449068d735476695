import type { Driver } from "../storage/driver.ts";
import type { Soon } from "./soon.ts";

export type StorageOperation = "get" | "put" | "swap" | "delete" | "list";

/**
 * A driver that asks `around` about every operation on `driver`; what it says of itself is passed on. `around` runs the
 * operation by `act`, and may wait, or throw before or after. With `aroundGet`, that is asked about reads, which then need not
 * wait for more than the driver does.
 */
export function aroundDriver(
  driver: Driver,
  around: <T>(operation: StorageOperation, key: string, act: () => Promise<T>) => Promise<T>,
  aroundGet?: (act: () => Soon<Uint8Array | undefined>) => Soon<Uint8Array | undefined>,
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
    get: (key) =>
      aroundGet === undefined ? around("get", key, async () => driver.get(key)) : aroundGet(() => driver.get(key)),
    put: (key, value) => around("put", key, () => driver.put(key, value)),
    swap: (key, was, value) => around("swap", key, () => driver.swap(key, was, value)),
    delete: (key) => around("delete", key, () => driver.delete(key)),
    list: (prefix, page) => around("list", prefix, () => driver.list(prefix, page)),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}
