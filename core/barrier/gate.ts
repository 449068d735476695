import { Unknown } from "../../storage/driver.ts";
import { ApiError } from "../errors.ts";
import type { Soon } from "../soon.ts";

/**
 * Lets work through while something (the barrier, a mount) is open, and tells when the last of it is done. Once closed it
 * lets nothing through, ever again.
 */
export class Gate {
  readonly #refuse: () => ApiError;
  #closed = false;
  #within = 0;
  #onEmpty: (() => void) | undefined;

  /** `refuse` makes the error for who comes too late. */
  constructor(refuse: () => ApiError) {
    this.#refuse = refuse;
  }

  /** Throws once the gate is closed. */
  check(): void {
    if (this.#closed) throw this.#refuse();
  }

  enter(): void {
    this.check();
    this.#within += 1;
  }

  leave(): void {
    this.#within -= 1;
    if (this.#within === 0) this.#onEmpty?.();
  }

  /** Runs `work` within the gate. */
  run<T>(work: () => Promise<T>): Promise<T>;
  run<T>(work: () => Soon<T>): Soon<T>;
  run<T>(work: () => Soon<T>): Soon<T> {
    this.enter();
    let result: Soon<T>;
    try {
      result = work();
    } catch (error) {
      this.leave();
      throw asApiError(error);
    }
    if (result instanceof Promise) return this.#leaveAfter(result);
    this.leave();
    return result;
  }

  async #leaveAfter<T>(result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      throw asApiError(error);
    } finally {
      this.leave();
    }
  }

  /** Closes the gate; resolves when everything that has entered has left. To be called once. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#within > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }
}

/** An outcome that the storage cannot tell is the client's error, with its reason; anything else stays what it is. */
export function asApiError(error: unknown): unknown {
  if (!(error instanceof Unknown)) return error;
  const { message } = new ApiError("unknown-outcome");
  return new ApiError("unknown-outcome", error.message === "" ? message : `${message}: ${error.message}`, {
    cause: error,
  });
}
