/**
 * Keeps garbage from piling up. On a machine with much memory the runtime lets the heap grow to several times of what is
 * alive before it looks through all of it: under load that is 30 MB more, for no speed. Measured: docs/performance.md.
 */
import { fullGC, heapSize } from "bun:jsc";

/** How long after a request the heap is looked at, in milliseconds. */
export const LOOK_MS = 100;
/** What may come to what was alive at the last collection: half of it, and this many bytes. */
const SLACK = 4 * 1024 * 1024;
/** Bytes. A larger heap takes too long to be looked through at once, which the runtime does beside other work. */
const LARGEST = 64 * 1024 * 1024;

export class Heap {
  /** Bytes that were alive at the last collection. */
  #alive = 0;
  #isAwaited = false;

  /** To be called for each request: while there are none, nobody looks. */
  used(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    this.#isAwaited = false;
    const size = heapSize();
    if (size > LARGEST || size < 1.5 * this.#alive + SLACK) return;
    fullGC();
    this.#alive = heapSize();
  }
}
