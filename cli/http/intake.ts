/**
 * Connections that send much, or what takes long to read, have turns, a few in each turn of the event loop: between two of
 * them every other client is served, however many there are who send as fast as they can.
 */

/** A read brings half a MiB at most. */
const READS_IN_A_TURN = 4;

export class Intake {
  /** Who has waited for the longest is the first. */
  readonly #waiting: (() => void)[] = [];

  /** Calls `read` once, in a later turn of the event loop, after those who came before. */
  next(read: () => void): void {
    if (this.#waiting.push(read) === 1) this.#wait();
  }

  #wait(): void {
    setImmediate(() => {
      for (const read of this.#waiting.splice(0, READS_IN_A_TURN)) read();
      if (this.#waiting.length > 0) this.#wait();
    });
  }
}
