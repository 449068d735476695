/**
 * Keeps garbage from piling up. On a machine with much memory the runtime lets the heap grow to several times of what is
 * alive before it looks through all of it: under load that is 30 MB more, for some percent of speed. Measured: docs/performance.md.
 */
import { fullGC, heapSize } from "bun:jsc";

/** How long after a request the heap is looked at, in milliseconds. */
export const LOOK_MS = 50;
/** Bytes of requests and answers after which it is looked at in any case: each leaves several times as much behind. */
const MUCH = 16 * 1024 * 1024;
/** What may come to what was alive at the last collection: half of it, and this many bytes. */
const SLACK = 2 * 1024 * 1024;
/**
 * Bytes, and milliseconds: a larger heap is left to the runtime, which looks through it beside other work, if the last
 * collection took longer. Many objects take long, a few large texts do not.
 */
const LARGE = 64 * 1024 * 1024;
const LONG = 50;

/** What the heap is asked; times in milliseconds, sizes in bytes. */
interface Runtime {
  heapSize(): number;
  fullGC(): void;
  now(): number;
  after(ms: number, act: () => void): void;
}

const RUNTIME: Runtime = {
  heapSize,
  fullGC,
  now: () => performance.now(),
  after: (ms, act) => setTimeout(act, ms).unref(),
};

export class Heap {
  readonly #runtime: Runtime;
  /** Bytes that were alive at the last collection. */
  #alive = 0;
  /** Milliseconds of the last collection. */
  #took = 0;
  #isAwaited = false;
  /** Bytes since the last look. */
  #used = 0;

  constructor(runtime = RUNTIME) {
    this.#runtime = runtime;
  }

  /** To be called for each request, with the length of its answer, and for what clients send: else nobody looks. */
  used(bytes: number): void {
    this.#used += bytes;
    if (this.#used > MUCH) this.#look();
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.#runtime.after(LOOK_MS, () => {
      this.#isAwaited = false;
      this.#look();
    });
  }

  #look(): void {
    this.#used = 0;
    const size = this.#runtime.heapSize();
    if (size < 1.5 * this.#alive + SLACK || (size > LARGE && this.#took > LONG)) return;
    const began = this.#runtime.now();
    this.#runtime.fullGC();
    this.#took = this.#runtime.now() - began;
    this.#alive = this.#runtime.heapSize();
  }
}
