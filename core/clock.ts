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
}

/** The clocks of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
