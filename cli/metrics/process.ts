/** What the process takes of the machine, under the names that Prometheus' clients give it. */
import { readdirSync, readFileSync } from "node:fs";
import { type Family, single } from "../../core/metrics/family.ts";
import { Histogram } from "../../core/metrics/histogram.ts";

const LAG_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
/** How often the event loop is asked for a moment; how much later it comes than it was due is its lag. */
const LAG_MS = 1000;

/** Begins with the first call: a server whose metrics nobody reads has no timer for them. */
export function openProcessMetrics(): () => readonly Family[] {
  let lag: Histogram | undefined;
  return () => [
    ...ofSystem(),
    {
      name: "coffer_event_loop_lag_seconds",
      help: "How late a timer was; measured each second from the first scrape on.",
      type: "histogram",
      samples: (lag ??= measureLag()).samples({}),
    },
  ];
}

function measureLag(): Histogram {
  const lag = new Histogram(LAG_BOUNDS);
  let due = performance.now() + LAG_MS;
  const look = () => {
    const now = performance.now();
    lag.observe(Math.max(0, now - due) / 1000);
    due = now + LAG_MS;
    setTimeout(look, LAG_MS).unref();
  };
  setTimeout(look, LAG_MS).unref();
  return lag;
}

function ofSystem(): Family[] {
  const { user, system } = process.cpuUsage();
  const started = Date.now() / 1000 - process.uptime();
  const memory = process.memoryUsage();
  return [
    single("counter", "process_cpu_seconds_total", "Processor time, of all threads.", (user + system) / 1e6),
    single("gauge", "process_start_time_seconds", "When the process started, in seconds since 1970.", started),
    single("gauge", "process_resident_memory_bytes", "What the process has in memory.", memory.rss),
    single("gauge", "coffer_heap_used_bytes", "What JavaScript's heap holds.", memory.heapUsed),
    ...ofProc(),
  ];
}

/** Only on Linux: elsewhere these are left out. */
function ofProc(): Family[] {
  try {
    const open = readdirSync("/proc/self/fd").length;
    const max = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return [
      single("gauge", "process_open_fds", "Open file descriptors.", open),
      ...(max === undefined ? [] : [single("gauge", "process_max_fds", "How many may be open.", Number(max))]),
    ];
  } catch {
    return [];
  }
}
