/** A store that fails at a chosen operation, for tests of what is left behind and of what can be had again. */
import { type Driver, Unknown } from "../storage/driver.ts";
import { memoryOver, wrapDriver } from "./harness.ts";

export const FAULTS = ["stops before", "stops after", "unknown before", "unknown after"] as const;

/**
 * `stops`: this operation and every later one is never answered, as if the process had died there; `unknown`: this
 * operation alone fails. `before`: it had no effect; `after`: it had.
 */
export type Fault = (typeof FAULTS)[number];

export interface FaultyDriver {
  readonly driver: Driver;
  /** Resolves when it has stopped. */
  readonly stopped: Promise<"stopped">;
  /** Operations since it was armed, or since it began. */
  readonly operations: number;
  /** True when the fault that was armed last has happened. */
  readonly failed: boolean;
  /** The operation number `at` from now on (0: the next) will fail; undefined: none. */
  arm(at: number | undefined, fault?: Fault): void;
}

export function faultyOver(store: Map<string, Uint8Array>): FaultyDriver {
  let [operations, failed, dead] = [0, false, false];
  let armed: { readonly at: number; readonly fault: Fault } | undefined;
  const { promise: stopped, resolve } = Promise.withResolvers<"stopped">();
  const never = <T>() => new Promise<T>(() => undefined);

  const driver = wrapDriver(memoryOver(store, false), async (operation, key, act) => {
    if (dead) return never();
    const isNow = armed?.at === operations;
    operations += 1;
    if (armed === undefined || !isNow) return act();
    const { fault } = armed;
    failed = true;
    if (fault.endsWith("after")) await act();
    if (fault.startsWith("stops")) {
      dead = true;
      resolve("stopped");
      return never();
    }
    throw operation === "get" || operation === "list"
      ? new Error("the store is away")
      : new Unknown(`${operation} ${key}`);
  });
  return {
    driver,
    stopped,
    get operations() {
      return operations;
    },
    get failed() {
      return failed;
    },
    arm(at, fault = "stops before") {
      armed = at === undefined ? undefined : { at, fault };
      [operations, failed] = [0, false];
    },
  };
}
