import type { Labels, Sample } from "./family.ts";

/**
 * How many observations were how large: one counter for each upper bound, and one for what is above them all. They are
 * plain numbers, added up when somebody asks, so that an observation costs a search in a short list.
 */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** `bounds` ascend. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((total, count) => total + count, 0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at += 1;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  /** As Prometheus counts: each bucket has what the ones below it have, too. */
  samples(labels: Labels): Sample[] {
    let total = 0;
    const buckets = this.#counts.map((count, at): Sample => {
      const bound = this.#bounds[at];
      total += count;
      return {
        labels: { ...labels, le: bound === undefined ? "+Inf" : String(bound) },
        value: total,
        suffix: "_bucket",
      };
    });
    return [...buckets, { labels, value: this.#sum, suffix: "_sum" }, { labels, value: total, suffix: "_count" }];
  }
}
