/**
 * The two clocks that the engine reads, handed in so that tests can turn them.
 *
 * The wall clock dates entries and may jump; the monotonic clock measures how long something has been held and never
 * goes back. What must not outlive its time checks both.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Monotonic clock, milliseconds since some fixed moment. */
  monotonic(): number;
  /** Calls `act` every `ms` milliseconds until the returned function is called. Keeps no process alive. */
  every(ms: number, act: () => void): () => void;
}

/** The clocks of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  every(ms, act) {
    const timer: unknown = setInterval(act, ms);
    // Node's timers hold the process; those of other runtimes are numbers.
    if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
      timer.unref();
    return () => clearInterval(timer as ReturnType<typeof setInterval>);
  },
};
