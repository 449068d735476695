/**
 * Watches one store: every keyring that is stored is compared with the one before, every entry is counted under its term
 * in the turn in which it was sealed, whether or not it is ever stored.
 */
import { KEYRING_PATH, MAX_OPERATIONS } from "../core/barrier/keyring.ts";
import { FRESH_MS } from "../core/barrier/meter.ts";
import { ROOT_KEYS_PATH } from "../core/seal/root-keys.ts";
import { SEAL_CONFIG_PATH } from "../core/seal/seal-config.ts";
import type { Driver } from "../storage/driver.ts";
import { memoryOver, testClock } from "./harness.ts";
import { checkStep, type Sent } from "./rotation-step.ts";
import { storedKeyring } from "./stored-keyring.ts";
import { openFrame, splitFrame, type VaultKeyring } from "./vault-format.ts";

const RAW = new Set([KEYRING_PATH, SEAL_CONFIG_PATH, ROOT_KEYS_PATH]);

/** Whose writes are watched. */
export interface Writer {
  readonly isAlive: boolean;
  /** What it seals from now on is under this term or a later one. */
  readonly leastTerm: number;
}

export class RotationWatch {
  readonly store = new Map<string, Uint8Array>();
  readonly clock = testClock();
  /** Of the driver, in bytes. */
  readonly maxValue: number;
  /** Term → entries that were sealed under it, by any server, dead ones included. */
  readonly sealed = new Map<number, number>();
  /** Changes of the settings that may still be stored. */
  readonly sent = new Set<Sent>();
  /** The only share, in hex. */
  share = "";
  /** Keyrings that were stored with a new term, and those that were half full. */
  readonly stored = { terms: 0, halfFull: 0 };
  /** Term → when it was replaced, by the monotonic clock. */
  readonly #replaced = new Map<number, number>();
  #violation: unknown;

  constructor(maxValue: number) {
    this.maxValue = maxValue;
  }

  /** Throws when anything has gone wrong so far, also where a server would not have told. */
  check(): void {
    if (this.#violation !== undefined) throw this.#violation;
    const { keys } = this.keyring();
    for (const { term, encryptions } of keys) {
      const done = this.sealed.get(term) ?? 0;
      if (encryptions < done) throw new Error(`term ${term}: ${done} sealed, ${encryptions} stored`);
    }
    const byTerm = new Map(keys.map(({ term, value }) => [term, value]));
    for (const [path, frame] of this.store) {
      if (RAW.has(path)) continue;
      const key = byTerm.get(splitFrame(frame).term);
      if (key === undefined) throw new Error(`no key for ${path}`);
      openFrame(key, path, frame);
    }
  }

  /** Keeps what went wrong for {@link check}. */
  readonly violated = (error: unknown): void => {
    this.#violation ??= error;
  };

  /** The keyring in `frame`, or the stored one. */
  keyring(frame?: Uint8Array): VaultKeyring {
    return storedKeyring(this.store, this.share, frame);
  }

  /** The number of the active term. */
  active(): number {
    return this.keyring().keys.length;
  }

  /** The memory driver over this store, with {@link maxValue}; every keyring that it stores is looked at. */
  driver(): Driver {
    const driver = memoryOver(this.store, false);
    return {
      ...driver,
      maxValue: this.maxValue,
      swap: async (key, was, value) => {
        const before = key === KEYRING_PATH && was !== undefined ? this.keyring() : undefined;
        const swapped = await driver.swap(key, was, value);
        if (swapped && before !== undefined) this.#noting(() => this.#changed(before));
        return swapped;
      },
    };
  }

  /** `driver`, with what `writer` sends through it counted. */
  counting(driver: Driver, writer: Writer): Driver {
    const look = (path: string, value: Uint8Array | undefined) => {
      if ((value?.length ?? 0) > this.maxValue) throw new RangeError("larger than a value may be");
      if (value !== undefined && !RAW.has(path) && writer.isAlive) this.#noting(() => this.#count(path, value, writer));
    };
    return {
      ...driver,
      put: async (key, value) => {
        look(key, value);
        await driver.put(key, value);
      },
      swap: async (key, was, value) => {
        look(key, value);
        return driver.swap(key, was, value);
      },
    };
  }

  #count(path: string, frame: Uint8Array, { leastTerm }: Writer): void {
    const { term } = splitFrame(frame);
    this.sealed.set(term, (this.sealed.get(term) ?? 0) + 1);
    if (term < leastTerm) throw new Error(`${path} was sealed under term ${term}, after ${leastTerm} was there`);
    const replaced = this.#replaced.get(term);
    const late = replaced === undefined ? 0 : this.clock.monotonic() - replaced;
    if (late >= FRESH_MS) throw new Error(`${path} was sealed under term ${term}, ${late} ms after its end`);
  }

  #changed(before: VaultKeyring): void {
    const after = this.keyring();
    const isHalfFull = (this.store.get(KEYRING_PATH)?.length ?? 0) >= this.maxValue / 2;
    const bound = isHalfFull ? MAX_OPERATIONS : after.maxOperations;
    checkStep(before, after, after.disabled ? undefined : bound, this.sent);
    const added = after.keys.length - before.keys.length;
    if (added > 0) this.#replaced.set(before.keys.length, this.clock.monotonic());
    this.stored.terms += added;
    if (isHalfFull) this.stored.halfFull += 1;
    this.check();
  }

  #noting(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.violated(error);
    }
  }
}
