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
 *   8. audit of the request → 500 (from here to 13: carry-out.ts); what is refused from here on is recorded; then reads
 *      in turn, while there is more of answers than there should be, and lists always (answer-budget.ts)
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
import { ApiError, wireError } from "../errors.ts";
import type { Log } from "../log.ts";
import { soon, type Soon } from "../soon.ts";
import { admit, NOBODY } from "./admission.ts";
import { type Answer, responseOf } from "./answer.ts";
import type { Asked, Server, Trace } from "./asked.ts";
import { carryOut } from "./carry-out.ts";
import { newRequestId, respond, respondUnreadable, respondWithError, withoutBody } from "./envelope.ts";
import { countToken, isUnknownToken } from "./guesses.ts";
import { type Incoming, incomingOf } from "./incoming.ts";
import { parsePath, parseQuery } from "./path.ts";
import type { Peer } from "./peer.ts";
import { checkHeaders, readFields } from "./request.ts";
import { find, routeOf } from "./target.ts";

/** As Vault: more than any storage takes, less than what hurts. */
const LARGEST_BODY = 32 * 1024 * 1024;

/** The app: a `fetch` function that every runtime can serve. */
export function createApp(server: Server): Hono<{ Bindings: Peer }> {
  const app = new Hono<{ Bindings: Peer }>();
  app.all("*", async (context) => responseOf(await serve(server, incomingOf(context.req.raw, context.env))));
  return app;
}

/** Answers one request. Never rejects, nor throws. */
export function serve(server: Server, request: Incoming): Soon<Answer> {
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
  };
  server.inFlight.enter(trace);
  const failed = (error: unknown): Answer => {
    logFailure(server.log, error, trace);
    return respondWithError(wireError(error, trace.authenticated));
  };
  let answered: Soon<Answer>;
  try {
    answered = answer(server, request, trace);
  } catch (error) {
    answered = failed(error);
  }
  return answered instanceof Promise
    ? answered.catch(failed).then((late) => end(server, late, trace))
    : end(server, answered, trace);
}

/** Takes note of the answer. */
function end(server: Server, answered: Answer, trace: Trace): Answer {
  server.inFlight.leave(trace);
  const ms = Math.round((server.clock.monotonic() - trace.started) * 1000) / 1000;
  server.metrics?.answered(trace.engine, trace.route, answered.status, ms);
  const line = {
    request_id: trace.id,
    remote_address: trace.peer.address,
    method: trace.method,
    route: trace.route,
    status: answered.status,
    ms,
  };
  server.log.info(line, "request");
  if (trace.path !== undefined) server.log.debug({ request_id: trace.id, path: trace.path }, "request path");
  return trace.method === "HEAD" ? withoutBody(answered) : answered;
}

/** Steps 2 and 3. */
function answer(server: Server, request: Incoming, trace: Trace): Soon<Answer> {
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
  return soon(find(server.system, opened?.mounts, parsed.path, query, trace.method), (target) => {
    const { operation, route } = routeOf(trace.method, query, target);
    trace.route = route?.label;
    trace.engine = route === undefined ? undefined : (target.mount?.entry.type ?? "system");
    return answerAt({ server, request, trace, opened, target, operation, route });
  });
}

/** Steps 4 to 7. */
function answerAt(asked: Asked): Soon<Answer> {
  const { server, request, trace, opened, target, operation, route } = asked;
  if (opened === undefined && route?.whileSealed !== true) throw new ApiError("sealed");
  checkHeaders(request.headers);
  if (operation === "update" && target.path.endsWith("/"))
    throw new ApiError("invalid", "cannot write to a path ending in '/'");
  const needsToken = opened !== undefined && route?.access !== "none";
  const isLimited = needsToken || route?.tellsValidity === true;
  const { address } = trace.peer;
  if (isLimited) server.refusals.check(address);
  return soon(readFields(request, operation, target.query, route, LARGEST_BODY, server.bodies), (fields) => {
    // Again: the limit may have been reached while the body came.
    if (isLimited) server.refusals.check(address);
    return soon(admit(opened?.tokens, route, request.headers), (admission) => {
      // And while the token was looked for.
      if (isLimited) server.refusals.check(address);
      if (isUnknownToken(admission)) countToken(server, address);
      trace.authenticated = admission.caller !== NOBODY;
      return soon(carryOut(asked, fields, admission), (made) => respond(made, route?.form ?? "envelope", trace.id));
    });
  });
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
