import { type Family, sample } from "./family.ts";

/** One counter for each of a fixed set of names; all are there from the start, so that a rate can begin at 0. */
export class Tally<Name extends string> {
  readonly #counts: Map<Name, number>;

  constructor(names: readonly Name[]) {
    this.#counts = new Map(names.map((name) => [name, 0]));
  }

  add(name: Name): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  family(name: string, help: string, label: string): Family {
    const samples = Array.from(this.#counts, ([value, count]) => sample(count, { [label]: value }));
    return { name, help, type: "counter", samples };
  }
}
