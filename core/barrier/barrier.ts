/**
 * The barrier: the only way to storage for plaintext. It seals with the active term, opens with any, and counts.
 *
 * Invariants: no plaintext reaches the driver; the stored count of a term is at least the number of entries sealed
 * under it; a path that is not well-formed Unicode, or that could be read as another, is refused.
 */
import { type Driver, type Page, Unknown } from "../../storage/driver.ts";
import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { AuthenticationFailed, MalformedEntry, openEntry, OVERHEAD, sealEntry, termOf } from "./entry.ts";
import type { KeyStatus, RotationChange, RotationSettings } from "../needs.ts";
import { activeTerm } from "./keyring.ts";
import { KeyringStore } from "./keyring-store.ts";
import { Meter } from "./meter.ts";
import {
  checkSettings,
  isHalfFull,
  MIN_OPERATIONS,
  rotateIfDue,
  type RotationLimits,
  withSettings,
} from "./rotation.ts";

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
}

export class Barrier {
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #limits: RotationLimits;
  readonly #keyring: KeyringStore;
  readonly #meter: Meter;
  #writes = 0;
  #idle: (() => void) | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;

  private constructor(keyring: KeyringStore, { driver, clock, minOperations = MIN_OPERATIONS }: BarrierOptions) {
    this.#driver = driver;
    this.#clock = clock;
    this.#keyring = keyring;
    this.#limits = { minOperations, maxKeyring: driver.maxValue };
    this.#meter = new Meter(keyring, clock, this.#limits);
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

  /** The plaintext at `path`, or undefined when there is none. */
  async get(path: string): Promise<Uint8Array | undefined> {
    return (await this.read(path))?.value;
  }

  /** The entry at `path`. Throws ApiError `damaged` for what does not open: other bytes, or from another path. */
  async read(path: string): Promise<Entry | undefined> {
    this.#check(path);
    const stored = await this.#driver.get(path);
    if (stored === undefined) return undefined;
    const term = termFrom(stored, path);
    // A term that this node has not seen yet was added by another one: the keyring is read past every cache.
    if (this.#keyring.key(term) === undefined) await this.#keyring.read();
    const key = this.#keyring.key(term);
    if (this.#closed) throw new ApiError("sealed");
    if (key === undefined) throw damaged(path, `no decryption key available for term ${term}`);
    return { value: openFrom(key, path, stored), stored };
  }

  /** The stored bytes at `path`, unopened: enough to tell whether what was read before is still there. */
  stored(path: string): Promise<Uint8Array | undefined> {
    this.#check(path);
    return this.#driver.get(path);
  }

  /** Stores `value`; when this resolves it is durable. */
  async put(path: string, value: Uint8Array): Promise<void> {
    await this.#write(path, value, (stored) => this.#driver.put(path, stored));
  }

  /**
   * Stores `value` if the stored bytes are still `was` (undefined: if there is no entry). Returns the new stored bytes,
   * or undefined when something else was there.
   */
  async swap(path: string, was: Uint8Array | undefined, value: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#write(path, value, async (stored) =>
      (await this.#driver.swap(path, was, stored)) ? stored : undefined,
    );
  }

  async delete(path: string): Promise<void> {
    this.#check(path);
    await this.#settled(() => this.#driver.delete(path));
  }

  /** Removes the entry if its stored bytes are still `was`; false when something else was there. */
  async remove(path: string, was: Uint8Array): Promise<boolean> {
    this.#check(path);
    return this.#settled(() => this.#driver.swap(path, was, undefined));
  }

  /** The direct children of the folder `prefix` (empty or ending in "/"), in byte order; folders end in "/". */
  list(prefix: string, page?: Page): Promise<string[]> {
    if (this.#closed) throw new ApiError("sealed");
    return this.#driver.list(prefix, page);
  }

  /**
   * The active term as it is stored, read past every cache, less what this node has reserved and not used: so its
   * `encryptions` are never too low, and too high by other nodes' rests at the most.
   */
  async keyStatus(): Promise<KeyStatus> {
    for (;;) {
      if (this.#closed) throw new ApiError("sealed");
      const before = await this.#meter.reservations();
      const keyring = await this.#keyring.read();
      const { term, installTime, encryptions } = activeTerm(keyring);
      const rest = this.#meter.rest(term);
      // A reservation that ran beside the read is in only one of the two numbers: read again.
      if ((await this.#meter.reservations()) !== before) continue;
      return {
        term,
        installTime,
        encryptions: encryptions - rest,
        halfFull: isHalfFull(keyring, this.#limits.maxKeyring),
      };
    }
  }

  /** Replaces the active term by a new one. Old values stay readable; when this resolves, new ones are under it. */
  async rotate(): Promise<void> {
    await this.#changing(async () => this.#meter.rotate(activeTerm(await this.#keyring.read()).term));
  }

  /** Replaces the active term if it has reached the age or the bound that are set. */
  async rotateIfDue(): Promise<void> {
    await this.#changing(() => this.#keyring.change((keyring) => rotateIfDue(keyring, this.#limits, this.#clock)));
  }

  /** The settings of rotation as they are stored. */
  async rotation(): Promise<RotationSettings> {
    if (this.#closed) throw new ApiError("sealed");
    return (await this.#keyring.read()).rotation;
  }

  /**
   * Changes the settings of rotation; what is undefined stays. A bound that the active term has reached already, or an
   * age, replaces the term in the same swap. Throws ApiError `invalid` with Vault's texts for what is out of bounds.
   */
  async configureRotation(settings: RotationChange): Promise<void> {
    checkSettings(settings, this.#limits);
    await this.#changing(() =>
      this.#keyring.change((keyring) => {
        const changed = withSettings(keyring, settings);
        return changed && (rotateIfDue(changed, this.#limits, this.#clock) ?? changed);
      }),
    );
  }

  /** A key for another purpose than the keyring's, derived from the root key (HKDF); `purpose` names it for good. */
  deriveKey(purpose: string): Uint8Array {
    if (this.#closed) throw new ApiError("sealed");
    return this.#keyring.derive(purpose);
  }

  /** Whether `rootKey` is the one that the keyring is sealed under. Compared in constant time. */
  hasRootKey(rootKey: Uint8Array): boolean {
    return !this.#closed && this.#keyring.hasRootKey(rootKey);
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
    this.#closed = true;
    if (this.#writes > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    try {
      await this.#meter.close();
    } finally {
      this.#keyring.wipe();
    }
  }

  async #write<T>(path: string, value: Uint8Array, store: (stored: Uint8Array) => Promise<T>): Promise<T> {
    this.#check(path);
    const { maxValue } = this.#driver;
    if (value.length + OVERHEAD > maxValue) {
      const got = value.length + OVERHEAD;
      throw new ApiError(
        "value-too-large",
        `put failed due to value being too large; got ${got} bytes, max: ${maxValue} bytes`,
      );
    }
    let term = this.#meter.take();
    while (term === undefined) {
      await this.#settled(() => this.#meter.refill());
      this.#check(path);
      term = this.#meter.take();
    }
    // From take() to here nothing was awaited: the block was fresh when this was sealed.
    const stored = sealEntry(term.term, term.key, path, value);
    return this.#settled(() => store(stored));
  }

  /** Runs a write that {@link close} waits for, and turns an outcome that cannot be told into the client's error. */
  async #settled<T>(write: () => Promise<T>): Promise<T> {
    this.#writes += 1;
    try {
      return await write();
    } catch (error) {
      if (error instanceof Unknown) throw new ApiError("unknown-outcome", undefined, { cause: error });
      throw error;
    } finally {
      this.#writes -= 1;
      if (this.#writes === 0) this.#idle?.();
    }
  }

  /** A change of the keyring. The next seal is under the term that is active then. */
  async #changing(change: () => Promise<unknown>): Promise<void> {
    if (this.#closed) throw new ApiError("sealed");
    await this.#settled(change);
    this.#meter.follow(this.#keyring.active.term);
  }

  #check(path: string): void {
    if (this.#closed) throw new ApiError("sealed");
    if (path === "" || path.endsWith("/") || !path.isWellFormed()) throw new Error("not a path for an entry");
  }
}

function termFrom(stored: Uint8Array, path: string): number {
  try {
    return termOf(stored);
  } catch (error) {
    if (error instanceof MalformedEntry) throw damaged(path, error.message);
    throw error;
  }
}

function openFrom(key: Uint8Array, path: string, stored: Uint8Array): Uint8Array {
  try {
    return openEntry(key, path, stored);
  } catch (error) {
    if (error instanceof AuthenticationFailed) throw damaged(path, error.message);
    throw error;
  }
}

/** Names the entry, or, where its name may be a secret's, the mount that it belongs to: errors are logged. */
function damaged(path: string, why: string): ApiError {
  const [folder, mount] = path.split("/");
  const place = folder === "logical" ? `an entry below logical/${mount}/` : `the entry at ${path}`;
  return new ApiError("damaged", `cannot open ${place}: ${why}`);
}
