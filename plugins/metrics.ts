import * as v from "valibot";
import { definePlugin, type MetricFamily, type MetricSample, type Reply, route } from "../core/plugin.ts";

const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** `sys/metrics`: numbers about this node, for monitoring. */
export default definePlugin({
  name: "metrics",
  needs: ["metrics"],
  routes: ({ metrics }) => [
    route({
      operation: "read",
      path: "sys/metrics",
      summary: "Numbers about this node: `?format=prometheus`, or a summary in JSON",
      whileSealed: "unauthenticated",
      body: v.record(v.string(), v.unknown()),
      async handle({ body: { format = "" } }): Promise<Reply> {
        if (format === "prometheus") {
          return { kind: "text", text: await metrics.prometheus(), contentType: PROMETHEUS_TEXT };
        }
        if (format === "") return { kind: "bare", body: summary(await metrics.families(), new Date()) };
        return { kind: "text", status: 400, text: "metric response format unknown", contentType: "text/plain" };
      },
    }),
  ],
});

/** Vault's summary. Its aggregates are of ten seconds; these are totals since the start, which say neither rate nor spread. */
function summary(families: readonly MetricFamily[], now: Date): object {
  const of = (...types: readonly MetricFamily["type"][]) => families.filter(({ type }) => types.includes(type));
  return {
    Timestamp: `${now.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`,
    Gauges: of("gauge").flatMap(({ name, samples }) =>
      samples.map(({ labels, value }) => ({ Name: name, Value: value, Labels: labels })),
    ),
    Points: [],
    Counters: of("counter").flatMap(({ name, samples }) =>
      samples.map(({ labels, value }) => aggregate(name, value, value, labels)),
    ),
    Samples: of("histogram", "summary").flatMap(({ name, samples }) =>
      samples
        .filter(({ suffix }) => suffix === "_sum")
        .map((sum) => aggregate(name, countOf(samples, sum), sum.value, sum.labels)),
    ),
  };
}

/** A sum and its count stand together, in this order. */
function countOf(samples: readonly MetricSample[], sum: MetricSample): number {
  return samples[samples.indexOf(sum) + 1]?.value ?? 0;
}

function aggregate(name: string, count: number, sum: number, labels: Readonly<Record<string, string>>): object {
  const mean = count === 0 ? 0 : sum / count;
  return { Name: name, Count: count, Rate: 0, Sum: sum, Min: 0, Max: 0, Mean: mean, Stddev: 0, Labels: labels };
}
