/** One measurement that a run makes several times; resolves with the figure. */
export type Measure = () => Promise<number>;

export interface Medians {
  readonly value: number;
  readonly baseline: number;
  readonly rounds: number;
}

/** Measures baseline, subject, baseline, subject …, and takes the median of each. */
export async function interleaved(rounds: number, baseline: Measure, subject: Measure): Promise<Medians> {
  const found = await inTurns(rounds, { baseline, subject });
  return {
    value: median(found.map((round) => round.subject)),
    baseline: median(found.map((round) => round.baseline)),
    rounds,
  };
}

/**
 * Takes every measure once, then every one again …: what else the machine does meets all alike, and a single disturbance
 * none. Resolves with what each round has found. One round before is not counted: it compiles, fills caches and makes
 * files.
 */
export async function inTurns<Name extends string, T>(
  rounds: number,
  measures: Readonly<Record<Name, () => Promise<T>>>,
): Promise<Record<Name, T>[]> {
  const found: Record<Name, T>[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const entries: [string, T][] = [];
    for (const [name, measure] of Object.entries<() => Promise<T>>(measures)) {
      entries.push([name, await undisturbed(measure)]);
    }
    found.push(Object.fromEntries(entries) as Record<Name, T>);
  }
  return found.slice(1);
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
function undisturbed<T>(measure: () => Promise<T>): Promise<T> {
  Bun.gc(true);
  return measure();
}
