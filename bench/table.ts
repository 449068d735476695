/** What a run found, as one table for people or as JSON for programs. */

export interface Target {
  /** What the limit holds for. */
  readonly of: "value" | "ratio";
  readonly bound: "≤" | "≥";
  readonly limit: number;
}

export interface Figure {
  readonly group: string;
  readonly name: string;
  /** µs and ms are per operation; MB is 1,000,000 bytes. */
  readonly unit: "µs" | "ms" | "/s" | "MB";
  readonly value: number;
  /** What the same run measured for comparison, in the same unit. */
  readonly baseline: number;
  readonly target?: Target;
  readonly rounds: number;
  /** How many operations each round has, of the subject. */
  readonly operations: number;
}

const HEAD = ["figure", "measured", "baseline", "ratio", "target", "met", "rounds"];

/** One row for each figure. Ends in a line break. */
export function asTable(figures: readonly Figure[]): string {
  const rows = [HEAD, HEAD.map((title) => "-".repeat(title.length)), ...figures.map(rowOf)];
  const widths = HEAD.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  // Names to the left, numbers to the right.
  const pad = (cell: string, at: number) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0));
  return rows.map((row) => `${row.map(pad).join("  ")}\n`).join("");
}

/** An array of the figures with their ratio and, where there is a target, whether it was met. Ends in a line break. */
export function asJson(figures: readonly Figure[]): string {
  const completed = figures.map((figure) => ({ ...figure, ratio: ratioOf(figure), met: isMet(figure) }));
  return `${JSON.stringify(completed, undefined, 2)}\n`;
}

function rowOf(figure: Figure): string[] {
  const { group, name, unit, value, baseline, target, rounds, operations } = figure;
  const met = isMet(figure);
  return [
    `${group}: ${name}`,
    amount(value, unit),
    amount(baseline, unit),
    ratioOf(figure).toFixed(2),
    target === undefined ? "" : `${target.bound} ${target.limit}${target.of === "ratio" ? " ×" : ` ${unit}`}`,
    met === undefined ? "" : met ? "yes" : "NO",
    `${rounds} × ${operations.toLocaleString("en")}`,
  ];
}

function ratioOf({ value, baseline }: Figure): number {
  return value / baseline;
}

function isMet(figure: Figure): boolean | undefined {
  const { target } = figure;
  if (target === undefined) return undefined;
  const reached = target.of === "ratio" ? ratioOf(figure) : figure.value;
  return target.bound === "≤" ? reached <= target.limit : reached >= target.limit;
}

function amount(value: number, unit: Figure["unit"]): string {
  return unit === "/s"
    ? `${Math.round(value).toLocaleString("en")} /s`
    : `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;
}
