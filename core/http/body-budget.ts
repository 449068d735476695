import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";

/** Bytes of a body that anybody may send. */
export const SMALL_BODY = 64 * 1024;
/** Bytes of the larger ones, all together: two of the largest. Each is there four to eight times while it is parsed. */
const ALL = 64 * 1024 * 1024;
/** A body of which nothing came for so long, or that has taken so long, makes way for others. Milliseconds. */
const PAUSE = 1000;
const LONG = 10_000;

/**
 * What the bodies that are being read may take together. They are read before the token is looked at, so without it
 * anybody could fill the memory: each with as much as one request may have, on as many connections as he likes. Nor can
 * he keep others out by bodies that he never ends: where there is no room, who is slow makes way.
 */
export class BodyBudget {
  readonly #clock: Pick<Clock, "monotonic">;
  /** Whose body was the first to be no small one is the first. */
  readonly #places = new Set<Place>();
  #left = ALL;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** A place in the budget for one body; disposing of it gives it back. */
  open(): BodyPlace {
    const now = this.#clock.monotonic();
    const place: Place = { taken: 0, begun: now, moved: now, onEvicted: undefined, isEvicted: false };
    return {
      cover: (bytes) => this.#cover(place, bytes),
      unlessEvicted: (work) => unlessEvicted(place, work),
      [Symbol.dispose]: () => this.#giveBack(place),
    };
  }

  #cover(place: Place, bytes: number): void {
    if (place.isEvicted) throw overloaded();
    if (bytes <= SMALL_BODY || bytes <= place.taken) return;
    this.#places.add(place);
    while (bytes - place.taken > this.#left) this.#makeRoom(place);
    this.#left -= bytes - place.taken;
    place.taken = bytes;
    place.moved = this.#clock.monotonic();
  }

  /** Throws ApiError `overloaded` where nobody has to make way. */
  #makeRoom(asking: Place): void {
    const now = this.#clock.monotonic();
    for (const place of this.#places) {
      if (place === asking || (now - place.moved < PAUSE && now - place.begun < LONG)) continue;
      this.#giveBack(place);
      place.isEvicted = true;
      place.onEvicted?.();
      return;
    }
    throw overloaded();
  }

  #giveBack(place: Place): void {
    this.#left += place.taken;
    place.taken = 0;
    this.#places.delete(place);
  }
}

export interface BodyPlace extends Disposable {
  /**
   * Throws ApiError `overloaded` when there is no room for a body of `bytes`, or this one had to make way. What was asked
   * for before counts.
   */
  cover(bytes: number): void;
  /** What `work` gives; rejects with ApiError `overloaded` as soon as this body has to make way. One at a time. */
  unlessEvicted<T>(work: Promise<T>): Promise<T>;
}

/** Times in milliseconds on the clock. */
interface Place {
  taken: number;
  readonly begun: number;
  /** When it was last that it took more. */
  moved: number;
  onEvicted: (() => void) | undefined;
  isEvicted: boolean;
}

function unlessEvicted<T>(place: Place, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    place.onEvicted = () => reject(overloaded());
    work.then(resolve, reject);
  });
}

function overloaded(): ApiError {
  return new ApiError("overloaded", undefined, { retryAfter: 1 });
}
