import { ApiError } from "../errors.ts";

/** Bytes of a body that anybody may send. */
export const SMALL_BODY = 64 * 1024;
/** Bytes of the larger ones, all together. */
const ALL = 128 * 1024 * 1024;

/**
 * What the bodies that are being read may take together. They are read before the token is looked at, so without it
 * anybody could fill the memory: each with as much as one request may have, on as many connections as he likes.
 */
export class BodyBudget {
  #left = ALL;

  /** A share of the budget for one body; disposing of it gives it back. */
  open(): BodyShare {
    return new BodyShare(
      (bytes) => {
        if (bytes > this.#left) throw new ApiError("overloaded");
        this.#left -= bytes;
      },
      (bytes) => (this.#left += bytes),
    );
  }
}

class BodyShare implements Disposable {
  readonly #take: (bytes: number) => void;
  readonly #give: (bytes: number) => void;
  #taken = 0;

  constructor(take: (bytes: number) => void, give: (bytes: number) => void) {
    this.#take = take;
    this.#give = give;
  }

  /** Throws ApiError `overloaded` when there is no room for a body of `bytes`. What was asked for before counts. */
  cover(bytes: number): void {
    if (bytes <= SMALL_BODY || bytes <= this.#taken) return;
    this.#take(bytes - this.#taken);
    this.#taken = bytes;
  }

  [Symbol.dispose](): void {
    this.#give(this.#taken);
  }
}

export type { BodyShare };
