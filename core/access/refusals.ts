/**
 * How many guesses one address has: tokens that nobody holds, key shares that are refused. A success does not count, so
 * whoever is right is refused only while others behind the same address have used it up, or try as many shares at once.
 *
 * A minute is kept in slots of five seconds, of which the newest is not over yet: all thirteen cover any minute, so no
 * minute ever has more refusals than are allowed, and an address takes the same memory whatever that number is. A token
 * that nobody holds counts before that is told; a share, for as long as it is being tried, as if it were refused: however
 * many are sent at once, no more of them are tried than may be refused.
 */
import { ApiError } from "../errors.ts";
import { bucketOf } from "./peer-bucket.ts";

/** Refusals a minute that each address has unless the configuration says otherwise. */
export const REFUSALS_PER_MINUTE = 100;

/** Beyond this many addresses the one that was refused longest ago is forgotten: to drop one takes as many others. */
const MAX_ADDRESSES = 10_000;
const SLOT_MS = 5000;
const SLOTS = 13;

interface Counted {
  /** Refusals in each of the last slots; slot n lies at n % SLOTS. */
  readonly slots: number[];
  /** The newest slot that is counted in. */
  newest: number;
}

export class Refusals {
  readonly #perMinute: number;
  readonly #monotonic: () => number;
  /** By the address' bucket, the one that was refused last at the end. */
  readonly #addresses = new Map<string, Counted>();
  /** Guesses that are under way, by the address' bucket. */
  readonly #underWay = new Map<string, number>();

  /** `monotonic`: milliseconds since some fixed moment. */
  constructor(perMinute: number, monotonic: () => number) {
    this.#perMinute = perMinute;
    this.#monotonic = monotonic;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#addresses.size;
  }

  /** Throws ApiError `too-many-refusals`, with the time after which it is worth trying again, for an address over its limit. */
  check(address: string | undefined): void {
    if (this.#addresses.size === 0) return;
    const counted = this.#addresses.get(bucketOf(address));
    if (counted === undefined) return;
    const now = this.#monotonic();
    const slot = this.#forward(counted, now);
    let left = sum(counted.slots) - this.#perMinute;
    if (left < 0) return;
    // The oldest slots go first: the one that takes the count below the limit says how long it lasts.
    for (let oldest = slot - SLOTS + 1; ; oldest += 1) {
      left -= counted.slots[indexOf(oldest)] ?? 0;
      if (left < 0 || oldest === slot) throw tooMany((oldest + SLOTS) * SLOT_MS - now);
    }
  }

  /** Counts a guess of which it is not known yet whether it is right, until it is disposed of. Throws as {@link check}. */
  begin(address: string | undefined): Disposable {
    this.check(address);
    const bucket = bucketOf(address);
    const before = this.#underWay.get(bucket) ?? 0;
    if (before + sum(this.#addresses.get(bucket)?.slots ?? []) >= this.#perMinute) throw tooMany(0);
    this.#underWay.set(bucket, before + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#underWay.get(bucket) ?? 0) - 1;
        if (left > 0) this.#underWay.set(bucket, left);
        else this.#underWay.delete(bucket);
      },
    };
  }

  /** Counts one refusal. */
  count(address: string | undefined): void {
    const bucket = bucketOf(address);
    const slot = Math.floor(this.#monotonic() / SLOT_MS);
    const counted = this.#addresses.get(bucket) ?? { slots: Array.from({ length: SLOTS }, () => 0), newest: slot };
    this.#forward(counted, this.#monotonic());
    counted.slots[indexOf(counted.newest)] = (counted.slots[indexOf(counted.newest)] ?? 0) + 1;
    this.#addresses.delete(bucket);
    this.#addresses.set(bucket, counted);
    this.#forget(slot);
  }

  /** Empties the slots that time has passed; returns the present one. */
  #forward(counted: Counted, now: number): number {
    const slot = Math.floor(now / SLOT_MS);
    for (let passed = Math.max(counted.newest + 1, slot - SLOTS + 1); passed <= slot; passed += 1) {
      counted.slots[indexOf(passed)] = 0;
    }
    counted.newest = slot;
    return slot;
  }

  /** Drops the addresses whose last refusal is over a minute ago, and the oldest where there are too many. */
  #forget(slot: number): void {
    for (const [bucket, { slots, newest }] of this.#addresses) {
      if (this.#addresses.size <= MAX_ADDRESSES && newest > slot - SLOTS && sum(slots) > 0) return;
      this.#addresses.delete(bucket);
    }
  }
}

function sum(slots: readonly number[]): number {
  let total = 0;
  for (const count of slots) total += count;
  return total;
}

/** The monotonic clock may begin below zero. */
function indexOf(slot: number): number {
  return ((slot % SLOTS) + SLOTS) % SLOTS;
}

function tooMany(milliseconds: number): ApiError {
  return new ApiError("too-many-refusals", undefined, { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) });
}
