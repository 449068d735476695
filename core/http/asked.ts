/** What the pipeline knows: of the server, and of a request on its way. */
import type { Mounts } from "../access/mounts.ts";
import type { Refusals } from "../access/refusals.ts";
import type { Tokens } from "../access/tokens.ts";
import type { Recorder } from "../audit/recorder.ts";
import type { AuditTrail } from "../audit/trail.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Route } from "../plugin.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { InFlight } from "./in-flight.ts";
import type { Incoming } from "./incoming.ts";
import type { Peer } from "./peer.ts";
import type { AskedOperation } from "./request.ts";
import type { Router } from "./router.ts";
import type { Target } from "./target.ts";

/** What the pipeline works with. */
export interface Server {
  /** The routes of the system plugins. */
  readonly system: Router<Route>;
  readonly log: Log;
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly inFlight: InFlight;
  readonly metrics: Metrics | undefined;
  readonly bodies: BodyBudget;
  /** What exists only while unsealed; undefined while sealed. */
  readonly opened: () => Opened | undefined;
  readonly auditWhileSealed: Recorder;
}

export interface Opened {
  readonly tokens: Tokens;
  readonly mounts: Mounts;
  readonly audit: AuditTrail;
}

/** What is known of a request so far: for its log line and the metrics. */
export interface Trace {
  readonly id: string;
  readonly peer: Peer;
  /** By the monotonic clock. */
  readonly started: number;
  /** The verb as it was sent. */
  readonly method: string;
  path: string | undefined;
  /** The pattern of the route, which unlike the path is no secret's name. */
  route: string | undefined;
  /** The type of the mount that answers, or `system`. */
  engine: string | undefined;
  /** Whether the token has been accepted, which is where Vault starts to frame its errors. */
  authenticated: boolean;
}

/** A request whose target is known. */
export interface Asked {
  readonly server: Server;
  readonly request: Incoming;
  readonly trace: Trace;
  /** What was unsealed when it came. */
  readonly opened: Opened | undefined;
  readonly target: Target;
  readonly operation: AskedOperation;
  readonly route: Route | undefined;
}
