import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";

/** Bytes of a body that anybody may send. */
export const SMALL_BODY = 64 * 1024;
/** Bytes of the larger ones, all together: two of the largest. Each is there four to eight times while it is parsed. */
const ALL = 64 * 1024 * 1024;
/** A body of which less than 64 KiB came for so long, or that has taken so long, makes way for others. Milliseconds. */
const PAUSE = 1000;
const LONG = 10_000;

/**
 * What the bodies that are being read may take together. They are read before the token is looked at, so without it
 * anybody could fill the memory: each with as much as one request may have, on as many connections as he likes. Nor can
 * he keep others out by bodies that he never ends: where there is no room, who is slow makes way.
 */
export class BodyBudget {
  readonly #clock: Pick<Clock, "monotonic">;
  /** Who has begun first is the first. */
  readonly #shares = new Set<Share>();
  #left = ALL;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** A share of the budget for one body; disposing of it gives it back. */
  open(): BodyShare {
    const now = this.#clock.monotonic();
    const share: Share = { taken: 0, begun: now, moved: now, onRevoked: undefined, isRevoked: false };
    return {
      cover: (bytes) => this.#cover(share, bytes),
      unlessRevoked: (work) => unlessRevoked(share, work),
      [Symbol.dispose]: () => this.#giveBack(share),
    };
  }

  #cover(share: Share, bytes: number): void {
    if (share.isRevoked) throw overloaded();
    if (bytes <= SMALL_BODY || bytes <= share.taken) return;
    this.#shares.add(share);
    while (bytes - share.taken > this.#left) this.#makeRoom(share);
    this.#left -= bytes - share.taken;
    share.taken = bytes;
    share.moved = this.#clock.monotonic();
  }

  /** Throws ApiError `overloaded` where nobody has to make way. */
  #makeRoom(asking: Share): void {
    const now = this.#clock.monotonic();
    for (const share of this.#shares) {
      if (share === asking || (now - share.moved < PAUSE && now - share.begun < LONG)) continue;
      this.#giveBack(share);
      share.isRevoked = true;
      share.onRevoked?.();
      return;
    }
    throw overloaded();
  }

  #giveBack(share: Share): void {
    this.#left += share.taken;
    share.taken = 0;
    this.#shares.delete(share);
  }
}

export interface BodyShare extends Disposable {
  /**
   * Throws ApiError `overloaded` when there is no room for a body of `bytes`, or this one had to make way. What was asked
   * for before counts.
   */
  cover(bytes: number): void;
  /** What `work` gives; rejects with ApiError `overloaded` as soon as this body has to make way. One at a time. */
  unlessRevoked<T>(work: Promise<T>): Promise<T>;
}

/** Times in milliseconds on the clock. */
interface Share {
  taken: number;
  readonly begun: number;
  /** When it was last that it took more. */
  moved: number;
  onRevoked: (() => void) | undefined;
  isRevoked: boolean;
}

function unlessRevoked<T>(share: Share, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    share.onRevoked = () => reject(overloaded());
    work.then(resolve, reject);
  });
}

function overloaded(): ApiError {
  return new ApiError("overloaded", undefined, { retryAfter: 1 });
}
