/** A whole server in this process, over the memory driver, with clocks that the test turns. */
import type { AuditSettings } from "../core/audit/device.ts";
import type { Clock } from "../core/clock.ts";
import { openCoffer } from "../core/coffer.ts";
import type { Answer as AppAnswer } from "../core/http/answer.ts";
import type { Incoming } from "../core/http/incoming.ts";
import type { Peer } from "../core/http/peer.ts";
import type { Soon } from "../core/soon.ts";
import { utf8 } from "../core/encoding.ts";
import type { Log } from "../core/log.ts";
import { aroundDriver } from "../core/around-driver.ts";
import type { MetricsOutput } from "../core/metrics/metrics.ts";
import type { Engine, Plugin } from "../core/plugin.ts";
import { plugins } from "../plugins/index.ts";
import type { Driver } from "../storage/driver.ts";
import { openMemory } from "../storage/memory.ts";

/** How many times as often a property is tried: `SLOW=1` for a thorough run. */
export function runs(usual: number): number {
  return process.env["SLOW"] === "1" ? usual * 20 : usual;
}

export interface TestClock extends Clock {
  /** Time passes: both clocks go on by `ms`, and what was to be done every so often is done once if it is due. */
  advance(ms: number): void;
  /** The same, and waits until that is done. */
  pass(ms: number): Promise<void>;
  /** Somebody sets the wall clock `ms` ahead (or back, when negative). */
  setWall(ms: number): void;
  /** The machine sleeps with a monotonic clock that counts it, and a wall clock that stands still. */
  setMonotonic(ms: number): void;
}

export function testClock(): TestClock {
  let wall = Date.parse("2026-01-01T00:00:00Z");
  let monotonic = 1000;
  const timers = new Set<{ readonly every: number; next: number; readonly act: () => void }>();
  const clock: TestClock = {
    now: () => wall,
    monotonic: () => monotonic,
    every(ms, act) {
      const timer = { every: ms, next: monotonic + ms, act };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      wall += ms;
      monotonic += ms;
      for (const timer of timers) {
        if (monotonic < timer.next) continue;
        timer.next = monotonic + timer.every;
        timer.act();
      }
    },
    setWall(ms) {
      wall += ms;
    },
    async pass(ms) {
      clock.advance(ms);
      await turns(20);
    },
    setMonotonic(ms) {
      monotonic += ms;
    },
  };
  return clock;
}

/** Resolves after `count` turns of the event loop: what waits for no more than the memory driver is done by then. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** What needs nothing but promises is done by then, and what waits for the next turn of the event loop is not. */
export async function withinTurn(): Promise<void> {
  for (let step = 0; step < 50; step += 1) await Promise.resolve();
}

export interface TestLog extends Log {
  /** One line of JSON for each call, at any level. */
  readonly lines: string[];
}

/** Keeps every line, so that a test can look for what must not be in one. */
export function testLog(): TestLog {
  const lines: string[] = [];
  const keep = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    const error = fields["err"];
    const err = error instanceof Error ? { err: Bun.inspect(error) } : {};
    lines.push(JSON.stringify({ level, message, ...fields, ...err }));
  };
  return { lines, debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
}

/** The memory driver over one map, for this process alone unless `exclusive` is false. */
export function memoryOver(store: Map<string, Uint8Array>, exclusive = true): Driver {
  const driver = openMemory({ store });
  return Object.assign(
    wrapDriver(driver, (_operation, _key, act) => act()),
    { exclusive },
  );
}

/** As {@link aroundDriver}, but what it says of itself can be changed afterwards. */
export function wrapDriver(driver: Driver, around: Parameters<typeof aroundDriver>[1]): Driver {
  return { ...aroundDriver(driver, around) };
}

export interface CallOptions {
  readonly token?: string;
  /** Sent as JSON; a string, bytes and (within this process) a stream as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Who sends it, to a server in this process; unknown unless told. */
  readonly address?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body as it came. */
  readonly text: string;
  /** The body's JSON; an empty object where there is none. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Unsealed {
  /** The root token. */
  readonly token: string;
  /** The shares, in hex. */
  readonly keys: readonly string[];
}

export interface TestServer extends AsyncDisposable {
  readonly driver: Driver;
  readonly clock: TestClock;
  readonly log: TestLog;
  /** One request; `path` is what follows `/v1/`. A `LIST` goes as `GET ?list=true`: a Request here cannot carry it. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Initialises and unseals, with 5 shares of which 3 open it unless told otherwise. */
  initAndUnseal(shares?: number, threshold?: number): Promise<Unsealed>;
  /** Gives shares until the server is unsealed. */
  unseal(keys: readonly string[]): Promise<void>;
  reopenAudit(): Promise<boolean>;
  /** A request as a listener hands it in. */
  answer(request: Incoming): Soon<AppAnswer>;
}

export interface StartOptions {
  /** What a server before this one, or beside it, has stored. */
  readonly store?: Map<string, Uint8Array>;
  /** In the place of the memory driver. */
  readonly driver?: Driver;
  readonly clock?: TestClock;
  readonly minOperations?: number;
  readonly unauthenticated?: readonly string[];
  readonly refusalsPerMinute?: number;
  readonly metrics?: MetricsOutput;
  readonly audit?: AuditSettings;
  /** Who all requests come from. */
  readonly peer?: Peer;
  /** Besides the built-in ones. */
  readonly plugins?: readonly (Plugin | Engine)[];
}

export async function startCoffer(options: StartOptions = {}): Promise<TestServer> {
  const driver = options.driver ?? openMemory(options.store === undefined ? {} : { store: options.store });
  const { clock = testClock() } = options;
  const log = testLog();
  const { minOperations, refusalsPerMinute, metrics, unauthenticated = [], plugins: others = [] } = options;
  const limits = {
    ...(minOperations !== undefined && { minOperations }),
    ...(refusalsPerMinute !== undefined && { refusalsPerMinute }),
    ...(metrics !== undefined && { metrics }),
  };
  const coffer = openCoffer({
    storage: driver,
    plugins: [...plugins, ...others],
    log,
    version: "0.0.0-test",
    clock,
    unauthenticated,
    ...limits,
    ...(options.audit !== undefined && { audit: options.audit }),
  });

  async function call(
    method: string,
    path: string,
    { token, body, headers = {}, address }: CallOptions = {},
  ): Promise<Answer> {
    const isList = method === "LIST";
    const url = `http://127.0.0.1/v1/${path}${isList ? `${path.includes("?") ? "&" : "?"}list=true` : ""}`;
    const sent = new Headers(headers);
    if (token !== undefined) sent.set("X-Vault-Token", token);
    const init: RequestInit = { method: isList ? "GET" : method, headers: sent };
    if (body !== undefined) init.body = bodyOf(body);
    const response = await coffer.fetch(new Request(url, init), options.peer ?? { address });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: jsonOf(text) };
  }

  const unseal = (keys: readonly string[]) => giveShares(call, keys);

  return {
    driver,
    clock,
    log,
    call,
    unseal,
    reopenAudit: () => coffer.reopenAudit(),
    answer: (request) => coffer.answer(request),
    async initAndUnseal(shares = 5, threshold = 3) {
      const settings = { secret_shares: shares, secret_threshold: threshold };
      const { status, text } = await call("PUT", "sys/init", { body: settings });
      if (status !== 200) throw new Error(`init answered ${status}: ${text}`);
      const made = JSON.parse(text) as { keys: string[]; root_token: string };
      await unseal(made.keys);
      return { token: made.root_token, keys: made.keys };
    },
    [Symbol.asyncDispose]: () => coffer[Symbol.asyncDispose](),
  };
}

function bodyOf(body: unknown): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  if (body instanceof ReadableStream) return body as ReadableStream<Uint8Array>;
  if (body instanceof Uint8Array) return new Uint8Array(body);
  return new Uint8Array(utf8(typeof body === "string" ? body : JSON.stringify(body)));
}

function jsonOf(text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === "") return {};
  if (!text.startsWith("{")) return {};
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
}

/** Gives shares to a server until it is unsealed. */
export async function giveShares(call: TestServer["call"], keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const { status, text, body } = await call("PUT", "sys/unseal", { body: { key } });
    if (status !== 200) throw new Error(`unseal answered ${status}: ${text}`);
    if (body["sealed"] === false) return;
  }
  throw new Error(`still sealed after ${keys.length} shares`);
}

/** What `promise` is rejected with; fails the test when it resolves, or when that is no error. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const [outcome] = await Promise.allSettled([promise]);
  if (outcome.status === "rejected" && outcome.reason instanceof Error) return outcome.reason;
  throw new Error(`not rejected with an error: ${Bun.inspect(outcome)}`);
}
