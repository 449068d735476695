/** One measurement that a run makes several times; resolves with the figure. */
export type Measure = () => Promise<number>;

export interface Medians {
  readonly value: number;
  readonly baseline: number;
  readonly rounds: number;
}

/**
 * Measures baseline, subject, baseline, subject …, and takes the median of each: what else the machine does meets both
 * alike, and a single disturbance neither. One round before is not counted: it compiles, fills caches and makes files.
 */
export async function interleaved(rounds: number, baseline: Measure, subject: Measure): Promise<Medians> {
  const baselines: number[] = [];
  const subjects: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    baselines.push(await undisturbed(baseline));
    subjects.push(await undisturbed(subject));
  }
  return { value: median(subjects.slice(1)), baseline: median(baselines.slice(1)), rounds };
}

/** The middle one, or between the two in the middle. Throws when there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.floor(sorted.length / 2)];
  if (low === undefined || high === undefined) throw new Error("nothing was measured");
  return (low + high) / 2;
}

/** Nobody pays for the garbage of the one before. */
function undisturbed(measure: Measure): Promise<number> {
  Bun.gc(true);
  return measure();
}
