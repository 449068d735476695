/** How the time of some work grows with its input, for tests that must not depend on how fast the machine is. */

/** The larger input, in whatever units the test takes it, and how many times as large as the smaller one it is. */
const LARGE = 256 * 1024;
const TIMES = 64;

/**
 * How many times as long `work` takes for the larger input as for the smaller one: about 64 when it takes time in
 * proportion, 4096 when its steps grow with the square. Of several measurements the shortest counts, which is the one
 * that nothing else on the machine has disturbed.
 */
export function growth<Input>(inputOf: (size: number) => Input, work: (input: Input) => void): number {
  const shortest = (size: number, times: number): number => {
    const input = inputOf(size);
    const taken = Array.from({ length: times }, () => {
      const before = performance.now();
      work(input);
      return performance.now() - before;
    });
    return Math.min(...taken);
  };
  return shortest(LARGE, 10) / shortest(LARGE / TIMES, 20);
}

/** Between proportion and the square, with room for what a larger input costs the caches and the collector. */
export const PROPORTIONAL = 500;
