/**
 * The composition root: puts a server together from a storage driver and plugins. It owns nothing of the outside world;
 * who calls it opens the storage, listens, and closes both.
 */
import type { Driver } from "../storage/driver.ts";
import { Mounts } from "./access/mounts.ts";
import { Refusals, REFUSALS_PER_MINUTE } from "./access/refusals.ts";
import { Tokens } from "./access/tokens.ts";
import { AuditDevices } from "./audit/audit-devices.ts";
import type { AuditSettings } from "./audit/device.ts";
import { AuditTrail } from "./audit/trail.ts";
import type { Barrier } from "./barrier/barrier.ts";
import { namingDamage } from "./barrier/damage.ts";
import { MIN_OPERATIONS } from "./barrier/rotation.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Cluster, readCluster } from "./cluster.ts";
import { ApiError } from "./errors.ts";
import { BodyBudget } from "./http/body-budget.ts";
import type { Answer } from "./http/answer.ts";
import { createApp, serve } from "./http/app.ts";
import type { Server } from "./http/asked.ts";
import { InFlight } from "./http/in-flight.ts";
import type { Incoming } from "./http/incoming.ts";
import type { Peer } from "./http/peer.ts";
import { Router } from "./http/router.ts";
import type { Log } from "./log.ts";
import { metricsNeeds } from "./metrics/collect.ts";
import { Counters } from "./metrics/counters.ts";
import { meteredDriver } from "./metrics/metered-driver.ts";
import type { MetricsOutput } from "./metrics/metrics.ts";
import type { Needs } from "./needs.ts";
import type { Engine, Plugin, Route } from "./plugin.ts";
import { Ceremony } from "./seal/ceremony.ts";
import { Seal } from "./seal/seal.ts";
import { sealNeeds } from "./seal/seal-needs.ts";
import type { Soon } from "./soon.ts";

/** How often the ages of the active term and of a running attempt are looked at: what is due is at most this late. */
const CHECK_MS = 30_000;

export interface CofferOptions {
  readonly storage: Driver;
  readonly plugins: readonly (Plugin | Engine)[];
  readonly log: Log;
  /** What the server calls itself in `sys/health` and `sys/seal-status`. */
  readonly version: string;
  readonly clock?: Clock;
  /** The least that `max_operations` of rotation may be set to: for tests, the API cannot reach it. */
  readonly minOperations?: number;
  /**
   * Names of plugins whose routes ask for no token. It gives up knowing who did what: for trying things out, and for
   * whoever has lost every token.
   */
  readonly unauthenticated?: readonly string[];
  /** How many wrong tokens and key shares each address may send in a minute; 100 unless told. */
  readonly refusalsPerMinute?: number;
  /** What answers `sys/metrics`. Without it nothing is counted. */
  readonly metrics?: MetricsOutput;
  /** What answers `sys/host-info`. */
  readonly hostInfo?: () => Promise<object>;
  /** Where requests are recorded; the devices that it declares stay their opener's. Nowhere unless told. */
  readonly audit?: AuditSettings;
}

export interface Coffer extends AsyncDisposable {
  /** Answers one request. Never rejects. */
  fetch(request: Request, peer?: Peer): Response | Promise<Response>;
  /** The same for a listener that reads requests itself: for neither side a `Request` or `Response` is made. */
  answer(request: Incoming): Soon<Answer>;
  /** Has every audit device go on in what now has its name: its file was renamed. False when one failed, which is logged. */
  reopenAudit(): Promise<boolean>;
}

/** What exists only while unsealed. */
export interface Opened {
  readonly barrier: Barrier;
  readonly tokens: Tokens;
  readonly mounts: Mounts;
  readonly ceremony: Ceremony;
  readonly audit: AuditTrail;
  readonly cluster: Cluster;
}

/** Opens a server over `storage`. It starts sealed; disposing of it seals it, and leaves the storage to its owner. */
export function openCoffer(options: CofferOptions): Coffer {
  const { plugins, log, version, clock = systemClock, minOperations = MIN_OPERATIONS, unauthenticated = [] } = options;
  const refusals = new Refusals(options.refusalsPerMinute ?? REFUSALS_PER_MINUTE, () => clock.monotonic());
  const inFlight = new InFlight(clock);
  const metrics = options.metrics === undefined ? undefined : new Counters();
  const driver = namingDamage(metrics === undefined ? options.storage : meteredDriver(options.storage, metrics, clock));
  const auditDevices = new AuditDevices(options.audit, clock, log);
  const engines = plugins.filter((plugin) => plugin.kind === "engine");
  const seal = new Seal<Opened>({
    driver,
    clock,
    log,
    minOperations,
    metrics,
    open: async (barrier) => {
      await rotateAtUnseal(barrier, log);
      return {
        barrier,
        tokens: await Tokens.open(barrier, clock),
        mounts: await Mounts.open(barrier, engines, log),
        ceremony: new Ceremony(barrier, driver, clock, metrics),
        audit: await AuditTrail.open(barrier, auditDevices),
        cluster: await readCluster(barrier),
      };
    },
  });
  const stopTimer = clock.every(CHECK_MS, () => {
    const { opened } = seal;
    if (opened === undefined) return;
    Promise.all([opened.barrier.keys.rotateIfDue(), opened.ceremony.expire()]).catch((error: unknown) => {
      // Sealed in between, or tried again at the next turn.
      log.warn({ err: error }, "whether the encryption key or an attempt is due could not be checked");
    });
  });
  const needs: Needs = {
    ...needsOf(seal, driver, version),
    metrics: metricsNeeds(
      metrics &&
        options.metrics && {
          counters: metrics,
          output: options.metrics,
          version,
          clock,
          log,
          keys: () => seal.opened?.barrier.keys,
          inFlight: () => inFlight.count,
        },
    ),
    requests: { inFlight: () => inFlight.list() },
    host: { info: options.hostInfo ?? notThere },
  };
  const system = new Router<Route>();
  const unknown = unauthenticated.find(
    (name) => !plugins.some((plugin) => plugin.kind === "system" && plugin.name === name),
  );
  if (unknown !== undefined) throw new Error(`there is no plugin ${unknown} to leave unauthenticated`);
  for (const plugin of plugins) {
    if (plugin.kind === "engine") continue;
    // What a plugin did not declare it does not get.
    const declared = Object.fromEntries(plugin.needs.map((need) => [need, needs[need]]));
    for (const route of plugin.routes(declared as Pick<Needs, (typeof plugin.needs)[number]>)) {
      const open = unauthenticated.includes(plugin.name)
        ? { ...route, access: "none" as const, whileSealed: route.whileSealed !== false }
        : route;
      system.add(route.path, route.operation, open);
    }
  }
  const server: Server = {
    system,
    log,
    clock,
    bodies: new BodyBudget(clock),
    refusals,
    inFlight,
    metrics,
    opened: () => seal.opened,
    auditWhileSealed: auditDevices.whileSealed,
  };
  const app = createApp(server);
  return {
    fetch: (request, peer = {}) => app.fetch(request, peer),
    answer: (request) => serve(server, request),
    reopenAudit: () => auditDevices.reopen(),
    async [Symbol.asyncDispose]() {
      stopTimer();
      await seal.close();
      await auditDevices[Symbol.asyncDispose]();
    },
  };
}

/**
 * An age that was reached while nobody was unsealed counts now. A disk that is full must not keep what is stored from
 * being read: then the timer tries again.
 */
async function rotateAtUnseal(barrier: Barrier, log: Log): Promise<void> {
  try {
    await barrier.keys.rotateIfDue();
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "unknown-outcome")) throw error;
    log.warn({ err: error }, "the encryption key is due for rotation, which did not succeed yet");
  }
}

async function notThere(): Promise<never> {
  throw new ApiError("unsupported-path");
}

/** The interfaces that plugins may declare a need of. They follow the seal: while sealed they answer so. */
function needsOf(seal: Seal<Opened>, driver: Driver, version: string): Omit<Needs, "metrics" | "requests" | "host"> {
  const opened = (): Opened => {
    if (seal.opened === undefined) throw new ApiError("sealed");
    return seal.opened;
  };
  return {
    seal: sealNeeds(seal, driver.type, version),
    keys: {
      status: async () => opened().barrier.keys.status(),
    },
    rotation: {
      rotate: async () => opened().barrier.keys.rotate(),
      config: async () => opened().barrier.keys.rotation(),
      configure: async (settings) => opened().barrier.keys.configure(settings),
    },
    ceremonies: {
      status: async () => opened().ceremony.status(),
      start: async (pgpKey) => opened().ceremony.start(pgpKey),
      cancel: async () => opened().ceremony.cancel(),
      submit: async (share, fingerprint) => opened().ceremony.submit(share, fingerprint),
    },
    mounts: {
      list: async () => opened().mounts.list(),
      enable: async (mount) => opened().mounts.enable(mount),
      tune: async (path, settings) => opened().mounts.tune(path, settings),
      disable: async (path) => opened().mounts.disable(path),
    },
    audit: {
      list: async () => opened().audit.list(),
      enable: async (device) => opened().audit.enable(device),
      disable: async (path) => opened().audit.disable(path),
      hash: async (path, input) => opened().audit.hash(path, input),
    },
    tokens: {
      create: async (caller, settings) => opened().tokens.create(caller, settings),
      self: async (caller) => opened().tokens.self(caller),
      revokeSelf: async (caller) => opened().tokens.revokeSelf(caller),
    },
  };
}
