/**
 * What the engine counts while it works. Where nobody asks for metrics none of it exists, and nothing is paid for it.
 */
import type { StorageOperation } from "../around-driver.ts";
import type { Family } from "./family.ts";

export type BarrierOperation = "get" | "check" | "put" | "swap" | "delete" | "list";
export type AttemptEvent = "started" | "cancelled" | "expired" | "completed";

export interface Metrics {
  /**
   * A request was answered. `engine`: the type of the mount that did, or `system`; `route`: operation and pattern, as the
   * log has them. Both undefined: no route was found.
   */
  answered(engine: string | undefined, route: string | undefined, status: number, ms: number): void;
  /** A token or a key share was none. */
  refused(guess: "token" | "share"): void;
  /** The barrier was asked for something. */
  barrier(operation: BarrierOperation): void;
  /** The driver has done what it was asked, or rejected. */
  stored(operation: StorageOperation, ms: number, failed: boolean): void;
  /** What became of an attempt of generate-share. */
  attempt(event: AttemptEvent): void;
}

/** What makes an answer of the engine's numbers, handed in by who runs it. */
export interface MetricsOutput {
  /** In Prometheus' text format. */
  render(families: readonly Family[]): Promise<string>;
  /** What it knows of the process. */
  ofProcess(): readonly Family[];
}
