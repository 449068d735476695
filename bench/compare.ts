import { median } from "./rounds.ts";
import type { Figure } from "./table.ts";
import type { Speed } from "./wrk.ts";

export interface Comparison {
  readonly group: string;
  readonly subject: string;
  readonly baseline: string;
  /** The least that the rate is to be, of the baseline's. */
  readonly rate?: number | undefined;
  /** The most that the p99 is to be, of the baseline's. */
  readonly p99?: number | undefined;
}

/** Rate and p99 of one load over those of another, of the medians of all rounds. */
export function compare(found: readonly Record<string, Speed>[], comparison: Comparison): Figure[] {
  const { group, subject, baseline, rate, p99 } = comparison;
  const middle = (name: string, key: keyof Speed) => median(found.flatMap(({ [name]: speed }) => speed?.[key] ?? []));
  const common = { group, rounds: found.length, operations: middle(subject, "requests") };
  const of = (key: "rate" | "p99") => ({ value: middle(subject, key), baseline: middle(baseline, key) });
  return [
    {
      ...common,
      name: `${subject}, over ${baseline}`,
      unit: "/s",
      ...of("rate"),
      ...(rate !== undefined && { target: { of: "ratio", bound: "≥", limit: rate } }),
    },
    {
      ...common,
      name: `${subject}, p99 over ${baseline}`,
      unit: "ms",
      ...of("p99"),
      ...(p99 !== undefined && { target: { of: "ratio", bound: "≤", limit: p99 } }),
    },
  ];
}
