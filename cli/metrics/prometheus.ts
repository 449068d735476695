/** The engine's numbers in Prometheus' text format. */
import type { Gauge as PromGauge } from "prom-client";
import type { Family } from "../../core/metrics/family.ts";

type Snapshot = Awaited<ReturnType<PromGauge["get"]>>;

/** Renders by prom-client, which is loaded when somebody asks for the first time. */
export async function renderPrometheus(families: readonly Family[]): Promise<string> {
  const { Gauge, Registry } = await import("prom-client");

  /** The library's own values are found by a hash of their labels at each addition; the engine's are counted already. */
  class Counted extends Gauge {
    readonly #family: Family;

    constructor(family: Family) {
      super({ name: family.name, help: family.help, registers: [] });
      this.#family = family;
    }

    override async get(): Promise<Snapshot> {
      const { name, help, type, samples } = this.#family;
      const values = samples.map(({ labels, value, suffix }) => ({ labels, value, metricName: name + suffix }));
      // The library declares numbers for the types and prints texts.
      return {
        name,
        help,
        values,
        type: type as unknown as Snapshot["type"],
        aggregator: "sum",
        collect: () => undefined,
      };
    }
  }

  const registry = new Registry();
  for (const family of families) registry.registerMetric(new Counted(family));
  return registry.metrics();
}
