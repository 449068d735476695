import { ApiError } from "../errors.ts";

/** Bytes of a body that anybody may send. */
export const SMALL_BODY = 64 * 1024;
/** Bytes of the larger ones, all together: two of the largest. Each is there four to eight times while it is parsed. */
const ALL = 64 * 1024 * 1024;

/**
 * What the bodies that are being read may take together. They are read before the token is looked at, so without it
 * anybody could fill the memory: each with as much as one request may have, on as many connections as he likes.
 */
export class BodyBudget {
  #left = ALL;

  /** A share of the budget for one body; disposing of it gives it back. */
  open(): BodyShare {
    let taken = 0;
    return {
      cover: (bytes) => {
        if (bytes <= SMALL_BODY || bytes <= taken) return;
        if (bytes - taken > this.#left) throw new ApiError("overloaded");
        this.#left -= bytes - taken;
        taken = bytes;
      },
      [Symbol.dispose]: () => void (this.#left += taken),
    };
  }
}

export interface BodyShare extends Disposable {
  /** Throws ApiError `overloaded` when there is no room for a body of `bytes`. What was asked for before counts. */
  cover(bytes: number): void;
}
