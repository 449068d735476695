/**
 * The way of a request, each step a function below or in the file it names:
 *
 *   1. request id
 *   2. the path is decoded once; dot segments, empty segments, control characters, bad escapes are refused (path.ts)
 *   3. route: a system plugin's, or the mount's whose prefix it is
 *   4. sealed → 503, but for the routes that work while sealed
 *   5. verb and headers (request.ts); an address that has guessed too often → 429 (access/refusals.ts)
 *   6. body, within limits, parsed (request.ts, json.ts)
 *   7. token, policy (admission.ts)
 *   8. audit of the request → 500 (audit/recorder.ts); what is refused from here on is recorded
 *   9. no token, no policy for it → 403
 *  10. unknown path → 404, unknown operation → 405
 *  11. fields validated (fields.ts)
 *  12. handler
 *  13. audit of the answer → 500; before the last step of an init
 *  14. envelope (envelope.ts), one log line
 *
 * A step answers early by throwing an ApiError; whatever else is thrown becomes `internal`, with its cause in the log.
 */
import { Hono } from "hono";
import type { Mounts } from "../access/mounts.ts";
import type { Refusals } from "../access/refusals.ts";
import type { Tokens } from "../access/tokens.ts";
import type { Recorder } from "../audit/recorder.ts";
import type { AuditTrail } from "../audit/trail.ts";
import type { Clock } from "../clock.ts";
import { ApiError, wireError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { RecordAnswer, Reply, Route } from "../plugin.ts";
import { admit, NOBODY } from "./admission.ts";
import { type Answer, responseOf } from "./answer.ts";
import type { BodyBudget } from "./body-budget.ts";
import { newRequestId, respond, respondUnreadable, respondWithError, withoutBody } from "./envelope.ts";
import { unknownFields, validate } from "./fields.ts";
import type { InFlight } from "./in-flight.ts";
import { type Incoming, incomingOf } from "./incoming.ts";
import type { JsonObject } from "./json.ts";
import { parsePath, parseQuery } from "./path.ts";
import type { Peer } from "./peer.ts";
import { checkHeaders, readFields } from "./request.ts";
import type { Router } from "./router.ts";
import { find, missing, mountOf, routeOf } from "./target.ts";

/** As Vault: more than any storage takes, less than what hurts. */
const LARGEST_BODY = 32 * 1024 * 1024;

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

interface Opened {
  readonly tokens: Tokens;
  readonly mounts: Mounts;
  readonly audit: AuditTrail;
}

/** What is known of a request so far: for its log line and the metrics. */
interface Trace {
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
  /** Set while the answer depends on whether a token or a share that was sent is a right one. */
  guess: "token" | "share" | undefined;
}

/** The app: a `fetch` function that every runtime can serve. */
export function createApp(server: Server): Hono<{ Bindings: Peer }> {
  const app = new Hono<{ Bindings: Peer }>();
  app.all("*", async (context) => responseOf(await serve(server, incomingOf(context.req.raw, context.env))));
  return app;
}

/** Answers one request. Never rejects. */
export async function serve(server: Server, request: Incoming): Promise<Answer> {
  const { method, peer } = request;
  const trace: Trace = {
    id: newRequestId(),
    peer,
    started: server.clock.monotonic(),
    method,
    path: undefined,
    route: undefined,
    engine: undefined,
    authenticated: false,
    guess: undefined,
  };
  server.inFlight.enter(trace);
  let answered: Answer;
  try {
    answered = await answer(server, request, trace);
  } catch (error) {
    countRefusal(server, error, trace);
    logFailure(server.log, error, trace);
    answered = respondWithError(wireError(error, trace.authenticated));
  }
  server.inFlight.leave(trace);
  const ms = Math.round((server.clock.monotonic() - trace.started) * 1000) / 1000;
  server.metrics?.answered(trace.engine, trace.route, answered.status, ms);
  const line = {
    request_id: trace.id,
    remote_address: peer.address,
    method: trace.method,
    route: trace.route,
    status: answered.status,
    ms,
  };
  server.log.info(line, "request");
  if (trace.path !== undefined) server.log.debug({ request_id: trace.id, path: trace.path }, "request path");
  return trace.method === "HEAD" ? withoutBody(answered) : answered;
}

async function answer(server: Server, request: Incoming, trace: Trace): Promise<Answer> {
  const { peer } = trace;
  const { pathname, search } = splitTarget(request.target);
  const parsed = parsePath(pathname);
  if ("refuse" in parsed) {
    const { status, errors } = parsed.refuse;
    return errors === undefined ? respondUnreadable() : respondWithError({ status, errors });
  }
  trace.path = parsed.path;
  const query = parseQuery(search);
  if ("refuse" in query) return respondWithError({ status: query.refuse.status, errors: query.refuse.errors ?? [] });

  const opened = server.opened();
  // What is at hand is not awaited, here and below: each promise costs more than most of what is done.
  const found = find(server.system, opened?.mounts, parsed.path, query, trace.method);
  const target = found instanceof Promise ? await found : found;
  const { operation, route } = routeOf(trace.method, query, target);
  trace.route = route?.label;
  trace.engine = route === undefined ? undefined : (target.mount?.entry.type ?? "system");
  if (opened === undefined && route?.whileSealed !== true) throw new ApiError("sealed");

  checkHeaders(request.headers);
  if (operation === "update" && target.path.endsWith("/"))
    throw new ApiError("invalid", "cannot write to a path ending in '/'");
  const needsToken = opened !== undefined && route?.access !== "none";
  const isLimited = needsToken || route?.tellsValidity === true;
  if (isLimited) server.refusals.check(peer.address);
  const read = readFields(request, operation, query, route, LARGEST_BODY, server.bodies);
  const fields = read instanceof Promise ? await read : read;
  // Again: the limit may have been reached while the body came.
  if (isLimited) server.refusals.check(peer.address);
  const admission = admit(opened?.tokens, route, request.headers);
  const { caller, refusal, unknownToken } = admission instanceof Promise ? await admission : admission;
  trace.guess = unknownToken === undefined ? undefined : "token";
  trace.authenticated = caller !== NOBODY;
  const act = async (recordAnswer: RecordAnswer): Promise<Reply> => {
    if (refusal !== undefined) throw refusal;
    // The body takes as long as its sender likes: a token that was, or could not be, checked when the server was sealed,
    // or unsealed, meanwhile says nothing about who may do this now.
    if (route?.access !== "none" && server.opened() !== opened) throw new ApiError("sealed");
    if (route === undefined) throw missing(target);
    const body = route.body === undefined ? undefined : validate(route.body, fields);
    const call = { params: target.match?.params ?? {}, body, caller, recordAnswer };
    if (route.tellsValidity) trace.guess = "share";
    const reply = await (target.mount?.gate.run(() => route.handle(call)) ?? route.handle(call));
    return withWarnings(reply, route, fields);
  };
  const current = opened === undefined ? server.auditWhileSealed : opened.audit.current();
  const recorder = current instanceof Promise ? await current : current;
  const form = route?.form ?? "envelope";
  if (recorder.outputs.length === 0 || route?.audited === false)
    return respond(await act(nobodyRecords), form, trace.id);
  const audited = {
    id: trace.id,
    operation,
    path: target.path,
    data: caller === NOBODY && refusal !== undefined ? fewFields(fields) : fields,
    peer,
    mount: await mountOf(target, opened?.mounts),
    caller,
    holder: opened?.tokens.heldBy(caller),
    unknownToken,
    refusal,
    hasShares: form === "bare",
  };
  return respond(await recorder.record(audited, act), form, trace.id);
}

const nobodyRecords = (): Promise<void> => Promise.resolve();

/** Counts a token that was none, or a share none of this coffer's. A failure of the server says nothing about either. */
function countRefusal({ refusals, metrics }: Server, error: unknown, { guess, peer }: Trace): void {
  if (guess === undefined || !(error instanceof ApiError)) return;
  if (error.code !== (guess === "token" ? "permission-denied" : "invalid")) return;
  refusals.count(peer.address);
  metrics?.refused(guess);
}

/** Of a request that nobody vouches for: each value becomes a hash, twice on each audit device, whose disk would fill. */
const FEW_BYTES = 2000;
const FEW_VALUES = 20;

function fewFields(fields: JsonObject): JsonObject {
  const text = JSON.stringify(fields);
  return text.length <= FEW_BYTES && text.split(",").length <= FEW_VALUES ? fields : {};
}

/** Vault tells of fields that it ignored, where there is an answer to tell it in. */
function withWarnings(reply: Reply, route: Route, fields: JsonObject): Reply {
  if (reply.kind === "empty" || reply.kind === "bare" || reply.kind === "text") return reply;
  const ignored = route.operation === "list" ? PAGING.filter((name) => name in fields) : ignoredFields(route, fields);
  if (ignored.length === 0) return reply;
  const warning = `Endpoint ignored these unrecognized parameters: [${ignored.join(" ")}]`;
  return { ...reply, warnings: [...(reply.warnings ?? []), warning] };
}

/** Names of parts of a list, which is whole here. */
const PAGING = ["after", "limit"];

function ignoredFields({ operation, body }: Route, fields: JsonObject): readonly string[] {
  if (operation !== "update" || body === undefined || !("entries" in body)) return [];
  return unknownFields({ entries: body.entries as object }, fields);
}

/** Path and query, still encoded. The URL parser would decode some of it. */
function splitTarget(target: string): { pathname: string; search: string } {
  const mark = target.indexOf("?");
  return mark === -1
    ? { pathname: target, search: "" }
    : { pathname: target.slice(0, mark), search: target.slice(mark) };
}

/** A failure of the server is logged with its cause; what a client did wrong is told by the status of its line. */
function logFailure(log: Log, error: unknown, trace: Trace): void {
  const status = error instanceof ApiError ? error.status : 500;
  if (status >= 500 && !(error instanceof ApiError && ["sealed", "overloaded"].includes(error.code))) {
    log.error({ request_id: trace.id, route: trace.route, err: error }, "request failed");
  }
}
