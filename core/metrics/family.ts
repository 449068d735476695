/** Numbers with a name, as a monitoring system reads them. No label ever holds what a client has sent. */
export interface Family {
  readonly name: string;
  /** What it says, in one line. */
  readonly help: string;
  readonly type: FamilyType;
  readonly samples: readonly Sample[];
}

export type FamilyType = "counter" | "gauge" | "histogram" | "summary";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Which of a family's numbers it is: `_bucket`, `_sum`, `_count`; empty where there is but one. */
  readonly suffix: "" | "_bucket" | "_sum" | "_count";
}

/** A family of one number. */
export function single(type: "counter" | "gauge", name: string, help: string, value: number, labels?: Labels): Family {
  return { name, help, type, samples: [sample(value, labels)] };
}

export function sample(value: number, labels: Labels = {}): Sample {
  return { labels, value, suffix: "" };
}
