/** A store with a new keyring in it, and barriers over it: what stands below seal and shares. */
import type { StorageOperation } from "../core/around-driver.ts";
import { Barrier } from "../core/barrier/barrier.ts";
import { activeTerm, createKeyring, type Keyring, KEYRING_PATH, sealKeyring } from "../core/barrier/keyring.ts";
import { KeyringStore } from "../core/barrier/keyring-store.ts";
import { randomBytes } from "../core/crypto.ts";
import { type Driver, Unknown } from "../storage/driver.ts";
import { memoryOver, testClock, type TestClock, wrapDriver } from "./harness.ts";
import { readKeyring, type VaultKeyring } from "./vault-format.ts";

export interface BarrierStore {
  readonly store: Map<string, Uint8Array>;
  readonly driver: Driver;
  readonly clock: TestClock;
  readonly rootKey: Uint8Array;
  readonly open: (driver?: Driver, onOtherHistory?: () => void) => Promise<Barrier>;
  /** The stored keyring, by a reader that shares no code with core/. */
  readonly keyring: () => VaultKeyring;
  /** Encryptions stored for the newest term. */
  readonly count: () => number;
  /** What another node might do to the keyring. */
  readonly change: (decide: (keyring: Keyring) => Keyring) => Promise<void>;
  /** Another node adds a term; its number. */
  readonly rotate: () => Promise<number>;
}

export function barrierStore(clock = testClock()): BarrierStore {
  const rootKey = randomBytes(32);
  const store = new Map([[KEYRING_PATH, sealKeyring(createKeyring(rootKey, clock.now()))]]);
  const driver = memoryOver(store, false);
  const keyring = () => readKeyring(rootKey, store.get(KEYRING_PATH) ?? new Uint8Array());
  async function change(decide: (keyring: Keyring) => Keyring): Promise<void> {
    const other = await KeyringStore.open(driver, [rootKey.slice()], () => undefined);
    await other.change(decide);
    other.wipe();
  }
  return {
    store,
    driver,
    clock,
    rootKey,
    open: (over = driver, onOtherHistory = () => undefined) =>
      Barrier.open([rootKey.slice()], { driver: over, clock, onOtherHistory }),
    keyring,
    count: () => keyring().keys.at(-1)?.encryptions ?? 0,
    change,
    async rotate() {
      let added = 0;
      await change((before) => {
        added = activeTerm(before).term + 1;
        const installTime = new Date(clock.now()).toISOString();
        return {
          ...before,
          terms: [...before.terms, { term: added, key: randomBytes(32), installTime, encryptions: 0 }],
        };
      });
      return added;
    },
  };
}

/** What befalls an operation: it is held up until {@link Gate.open}, or its outcome stays unknown. */
export type Fate = "done" | "unknown, not written" | "unknown, written";

export interface Gate {
  readonly driver: Driver;
  /** The operations that passed, in order. */
  readonly passed: string[];
  /** What happens to each operation from now on. */
  fate: (operation: StorageOperation, key: string) => Fate;
  /** Which operations wait from now on. */
  hold: (operation: StorageOperation, key: string) => boolean;
  /** Resolves when an operation has begun to wait. */
  waiting(): Promise<void>;
  /** Holds nothing any longer, and lets go what waits. */
  open(): void;
}

/** A driver on whose operations the test decides. */
export function gate(driver: Driver): Gate {
  let opened = Promise.withResolvers<void>();
  let arrived = Promise.withResolvers<void>();
  const gated: Gate = {
    passed: [],
    fate: () => "done",
    hold: () => false,
    driver: wrapDriver(driver, async (operation, key, act) => {
      if (gated.hold(operation, key)) {
        arrived.resolve();
        await opened.promise;
      }
      gated.passed.push(`${operation} ${key}`);
      const fate = gated.fate(operation, key);
      if (fate === "unknown, not written") throw new Unknown("not written");
      const result = await act();
      if (fate === "unknown, written") throw new Unknown("written");
      return result;
    }),
    waiting: () => arrived.promise,
    open() {
      gated.hold = () => false;
      opened.resolve();
      opened = Promise.withResolvers<void>();
      arrived = Promise.withResolvers<void>();
    },
  };
  return gated;
}
