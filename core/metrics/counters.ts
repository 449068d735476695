import { type Family, type Labels, type Sample, sample } from "./family.ts";
import { Histogram } from "./histogram.ts";
import type { StorageOperation } from "../around-driver.ts";
import type { AttemptEvent, BarrierOperation, Metrics } from "./metrics.ts";
import { Tally } from "./tally.ts";

/** Upper bounds in seconds: from a read out of memory to a disk that hangs. */
const LATENCIES = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** `sys/health` answers whatever status it is asked for: what is none of these counts together. */
const STATUSES: ReadonlySet<number> = new Set([
  200, 204, 400, 403, 404, 405, 413, 415, 429, 472, 473, 500, 501, 502, 503,
]);

interface Requests {
  readonly labels: Labels;
  readonly latency: Histogram;
  readonly statuses: Map<number, number>;
}

/**
 * Counts in plain maps and arrays: a request costs a look-up by its route and two additions. Labels are made when
 * somebody asks. Their values are routes, operations and statuses, so there are only so many of them.
 */
export class Counters implements Metrics {
  /** Engine → route → what was counted; undefined where there was none. */
  readonly #requests = new Map<string | undefined, Map<string | undefined, Requests>>();
  readonly #refusals = new Tally<"token" | "share">(["token", "share"]);
  readonly #barrier = new Tally<BarrierOperation>(["get", "check", "put", "swap", "delete", "list"]);
  readonly #attempts = new Tally<AttemptEvent>(["started", "cancelled", "expired", "completed"]);
  readonly #failures = new Tally<StorageOperation>(["get", "put", "swap", "delete", "list"]);
  readonly #storage = {
    get: new Histogram(LATENCIES),
    put: new Histogram(LATENCIES),
    swap: new Histogram(LATENCIES),
    delete: new Histogram(LATENCIES),
    list: new Histogram(LATENCIES),
  } satisfies Record<StorageOperation, Histogram>;

  answered(engine: string | undefined, route: string | undefined, status: number, ms: number): void {
    const requests = this.#of(engine, route);
    const known = STATUSES.has(status) ? status : 0;
    requests.statuses.set(known, (requests.statuses.get(known) ?? 0) + 1);
    requests.latency.observe(ms / 1000);
  }

  #of(engine: string | undefined, route: string | undefined): Requests {
    let routes = this.#requests.get(engine);
    if (routes === undefined) this.#requests.set(engine, (routes = new Map()));
    let requests = routes.get(route);
    if (requests === undefined) {
      requests = { labels: labelsOf(engine, route), latency: new Histogram(LATENCIES), statuses: new Map() };
      routes.set(route, requests);
    }
    return requests;
  }

  refused(guess: "token" | "share"): void {
    this.#refusals.add(guess);
  }

  barrier(operation: BarrierOperation): void {
    this.#barrier.add(operation);
  }

  stored(operation: StorageOperation, ms: number, failed: boolean): void {
    this.#storage[operation].observe(ms / 1000);
    if (failed) this.#failures.add(operation);
  }

  attempt(event: AttemptEvent): void {
    this.#attempts.add(event);
  }

  /** All that was counted since the start. */
  families(): Family[] {
    const requests = [...this.#requests.values()].flatMap((routes) => [...routes.values()]);
    return [
      {
        name: "coffer_requests_total",
        help: "Requests that were answered, by the route that answered them.",
        type: "counter",
        samples: requests.flatMap(statusSamples),
      },
      {
        name: "coffer_request_duration_seconds",
        help: "Time from a request to its answer, the arrival of its body included.",
        type: "histogram",
        samples: requests.flatMap(({ labels, latency }) => latency.samples(labels)),
      },
      {
        name: "vault_core_handle_request",
        help: "Milliseconds from a request to its answer, of all routes, as dashboards for Vault read them.",
        type: "summary",
        samples: totalSamples(requests),
      },
      this.#refusals.family("coffer_refusals_total", "Tokens and key shares that were none.", "guess"),
      this.#barrier.family("coffer_barrier_operations_total", "What the barrier was asked for.", "operation"),
      {
        name: "coffer_storage_operation_duration_seconds",
        help: "Time that the storage took.",
        type: "histogram",
        samples: Object.entries(this.#storage).flatMap(([operation, latency]) => latency.samples({ operation })),
      },
      this.#failures.family("coffer_storage_failures_total", "Storage operations that were rejected.", "operation"),
      this.#attempts.family(
        "coffer_generate_share_attempts_total",
        "What became of attempts to make a further key share, on this node.",
        "event",
      ),
    ];
  }
}

/** `route` is the operation and the pattern. A request for which no route was found has neither. */
function labelsOf(engine = "none", route = ""): Labels {
  const [operation = "", ...pattern] = route.split(" ");
  return { engine, operation, route: pattern.join(" ") };
}

function statusSamples({ labels, statuses }: Requests): Sample[] {
  return Array.from(statuses, ([status, count]) =>
    sample(count, { ...labels, status: status === 0 ? "other" : String(status) }),
  );
}

function totalSamples(requests: readonly Requests[]): Sample[] {
  const total = (pick: (latency: Histogram) => number) => requests.reduce((sum, { latency }) => sum + pick(latency), 0);
  return [
    { labels: {}, value: total(({ sum }) => sum * 1000), suffix: "_sum" },
    { labels: {}, value: total(({ count }) => count), suffix: "_count" },
  ];
}
