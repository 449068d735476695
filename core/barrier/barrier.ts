/**
 * The barrier: the only way to storage for plaintext. It seals with the active term, opens with any, and counts.
 *
 * Invariants: no plaintext reaches the driver; the stored count of a term is at least the number of entries sealed
 * under it; a path that cannot be an entry's is refused: the empty one, one that ends in "/", one that is not well-formed
 * Unicode, and would be stored under another name than was meant.
 */
import type { Driver, Page } from "../../storage/driver.ts";
import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { soon, type Soon } from "../soon.ts";
import { AuthenticationFailed, MalformedEntry, openEntry, OVERHEAD, sealEntry, termOf } from "./entry.ts";
import { damagedEntry } from "./damage.ts";
import { asApiError, Gate } from "./gate.ts";
import { KeyControl } from "./key-control.ts";
import { KeyringStore } from "./keyring-store.ts";
import { Meter } from "./meter.ts";
import { MIN_OPERATIONS } from "./rotation.ts";

/** An entry as it was read: its plaintext, and the stored bytes, which a later swap compares. */
export interface Entry {
  readonly value: Uint8Array;
  /** A fresh nonce makes every stored value unique, so the bytes are their own version. */
  readonly stored: Uint8Array;
}

export interface BarrierOptions {
  readonly driver: Driver;
  readonly clock: Clock;
  /** Called when the store turns out to have been put back from a copy: this node must be sealed then. */
  readonly onOtherHistory?: () => void;
  /** The least that `max_operations` may be set to; Vault's 1,000,000 unless a test says otherwise. */
  readonly minOperations?: number;
  readonly metrics?: Metrics | undefined;
}

export class Barrier {
  /** What is done with the keys themselves. */
  readonly keys: KeyControl;
  readonly #driver: Driver;
  readonly #keyring: KeyringStore;
  readonly #meter: Meter;
  readonly #metrics: Metrics | undefined;
  /** Every write enters it; {@link close} waits for them. */
  readonly #gate = new Gate(() => new ApiError("sealed"));
  #closing: Promise<void> | undefined;

  private constructor(keyring: KeyringStore, options: BarrierOptions) {
    const { driver, clock, minOperations = MIN_OPERATIONS } = options;
    const limits = { minOperations, maxKeyring: driver.maxValue };
    this.#driver = driver;
    this.#keyring = keyring;
    this.#metrics = options.metrics;
    this.#meter = new Meter(keyring, clock, limits);
    this.keys = new KeyControl({ keyring, meter: this.#meter, gate: this.#gate, clock, limits });
  }

  /** Opens the barrier with whichever of `rootKeys` the stored keyring is sealed under; they belong to it now. */
  static async open(rootKeys: readonly Uint8Array[], options: BarrierOptions): Promise<Barrier> {
    const onOtherHistory = options.onOtherHistory ?? (() => undefined);
    return new Barrier(await KeyringStore.open(options.driver, rootKeys, onOtherHistory), options);
  }

  /** True when nobody else can write to the store, so that what was read once may be kept. */
  get exclusive(): boolean {
    return this.#driver.exclusive;
  }

  /** The plaintext at `path`, or undefined when there is none; at once where the driver has it at hand. */
  get(path: string): Soon<Uint8Array | undefined> {
    this.#check(path);
    this.#metrics?.barrier("get");
    return soon(
      this.#driver.get(path),
      (stored) => stored && (this.#open(path, stored) ?? this.#openLater(path, stored)),
    );
  }

  /** The entry at `path`. Throws ApiError `damaged` for what does not open: other bytes, or from another path. */
  async read(path: string): Promise<Entry | undefined> {
    this.#check(path);
    this.#metrics?.barrier("get");
    const stored = await this.#driver.get(path);
    if (stored === undefined) return undefined;
    return { value: this.#open(path, stored) ?? (await this.#openLater(path, stored)), stored };
  }

  /** The stored bytes at `path`, unopened: enough to tell whether what was read before is still there. */
  async stored(path: string): Promise<Uint8Array | undefined> {
    this.#check(path);
    this.#metrics?.barrier("check");
    return this.#driver.get(path);
  }

  /** Stores `value`; when this resolves it is durable. */
  async put(path: string, value: Uint8Array): Promise<void> {
    // Entered before it is sealed: what was sealed is also stored, though the barrier be closed meanwhile.
    this.#gate.enter();
    this.#metrics?.barrier("put");
    try {
      const stored = this.#seal(path, value);
      if (stored === undefined) await this.#sealLater(path, value, (sealed) => this.#driver.put(path, sealed));
      else await this.#driver.put(path, stored);
    } catch (error) {
      throw asApiError(error);
    } finally {
      this.#gate.leave();
    }
  }

  /**
   * Stores `value` if the stored bytes are still `was` (undefined: if there is no entry). Returns the new stored bytes,
   * or undefined when something else was there.
   */
  async swap(path: string, was: Uint8Array | undefined, value: Uint8Array): Promise<Uint8Array | undefined> {
    this.#metrics?.barrier("swap");
    const store = async (stored: Uint8Array) => ((await this.#driver.swap(path, was, stored)) ? stored : undefined);
    return this.#gate.run(() => {
      const stored = this.#seal(path, value);
      return stored === undefined ? this.#sealLater(path, value, store) : store(stored);
    });
  }

  async delete(path: string): Promise<void> {
    this.#check(path);
    this.#metrics?.barrier("delete");
    await this.#gate.run(() => this.#driver.delete(path));
  }

  /** Removes the entry if its stored bytes are still `was`; false when something else was there. */
  async remove(path: string, was: Uint8Array): Promise<boolean> {
    this.#check(path);
    this.#metrics?.barrier("delete");
    return this.#gate.run(() => this.#driver.swap(path, was, undefined));
  }

  /**
   * The direct children of the folder `prefix` (empty or ending in "/"), in byte order; folders end in "/". At once where
   * the driver has them at hand.
   */
  list(prefix: string, page?: Page): Soon<string[]> {
    this.#gate.check();
    this.#metrics?.barrier("list");
    return this.#driver.list(prefix, page);
  }

  /**
   * Seals the barrier: nothing is sealed or opened from now on, writes in flight settle, the meter gives back what it
   * has not used, the keys are overwritten. Rejects when the giving back failed; the barrier is closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#gate.close();
    try {
      await this.#meter.close();
    } finally {
      this.#keyring.wipe();
    }
  }

  /**
   * Seals `value` if an encryption is at hand, else returns undefined. Nothing is awaited between taking it and using
   * it: the block was fresh when this was sealed.
   */
  #seal(path: string, value: Uint8Array): Uint8Array | undefined {
    this.#check(path);
    const { maxValue } = this.#driver;
    const bytes = value.length + OVERHEAD;
    if (bytes > maxValue) {
      const why = `put failed due to value being too large; got ${bytes} bytes, max: ${maxValue} bytes`;
      throw new ApiError("value-too-large", why);
    }
    const term = this.#meter.take();
    return term && sealEntry(term.term, term.key, path, value);
  }

  /** Waits until an encryption is at hand, seals, and stores what was sealed without a pause in between. */
  async #sealLater<T>(path: string, value: Uint8Array, store: (stored: Uint8Array) => Promise<T>): Promise<T> {
    for (;;) {
      await this.#meter.refill();
      const stored = this.#seal(path, value);
      if (stored !== undefined) return store(stored);
    }
  }

  /** The plaintext, or undefined when the entry's term is not known here. */
  #open(path: string, stored: Uint8Array): Uint8Array | undefined {
    this.#gate.check();
    const key = this.#keyring.key(termFrom(stored, path));
    return key && openFrom(key, path, stored);
  }

  /** A term that this node has not seen yet was added by another one: the keyring is read past every cache. */
  async #openLater(path: string, stored: Uint8Array): Promise<Uint8Array> {
    await this.#keyring.read();
    const value = this.#open(path, stored);
    if (value !== undefined) return value;
    throw damagedEntry(path, `no decryption key available for term ${termFrom(stored, path)}`);
  }

  #check(path: string): void {
    this.#gate.check();
    if (path === "" || path.endsWith("/") || !path.isWellFormed()) throw new Error("not a path for an entry");
  }
}

function termFrom(stored: Uint8Array, path: string): number {
  try {
    return termOf(stored);
  } catch (error) {
    if (error instanceof MalformedEntry) throw damagedEntry(path, error.message);
    throw error;
  }
}

function openFrom(key: Uint8Array, path: string, stored: Uint8Array): Uint8Array {
  try {
    return openEntry(key, path, stored);
  } catch (error) {
    if (error instanceof AuthenticationFailed) throw damagedEntry(path, error.message);
    throw error;
  }
}
