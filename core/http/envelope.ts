/**
 * From a reply to a response: Vault's envelope, the headers that every answer carries, and the form of errors.
 */
import { randomBytes } from "../crypto.ts";
import { uuidOf } from "../encoding.ts";
import type { WireError } from "../errors.ts";
import type { Reply, Route } from "../plugin.ts";

/** Every response copies them; a `Headers` is checked once, a plain object each time. */
const HEADERS = new Headers({
  "cache-control": "no-store",
  "content-type": "application/json",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
});
/** Statuses whose responses have no body (Fetch standard, "null body status"). */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** The id of a request, which the envelope and the log name. */
export function newRequestId(): string {
  return uuidOf(randomBytes(16));
}

export function respond(reply: Reply, form: Route["form"], requestId: string): Response {
  if (reply.kind === "empty") return send(204, undefined);
  if (reply.kind === "text") {
    const response = new Response(reply.text, { status: reply.status ?? 200, headers: HEADERS });
    response.headers.set("content-type", reply.contentType);
    return response;
  }
  if (reply.kind === "bare") return send(reply.status ?? 200, reply.body);
  const { warnings = [] } = reply;
  if (reply.kind === "auth") return send(200, { ...envelope(requestId, 0, warnings), data: null, auth: reply.auth });
  const { data, leaseDuration = 0 } = reply;
  const duplicated = form === "duplicate" && data !== null && Object.keys(data).length > 0 ? data : {};
  return send(200, { ...duplicated, ...envelope(requestId, leaseDuration, warnings), data, auth: null });
}

export function respondWithError({ status, errors, retryAfter }: WireError): Response {
  const response = send(status, { errors });
  if (retryAfter !== undefined) response.headers.set("retry-after", String(retryAfter));
  return response;
}

/** A path or header that no handler of Vault's ever sees: 400 without body and without the usual headers. */
export function respondUnreadable(): Response {
  return new Response(null, { status: 400 });
}

/** The same answer without its body, for HEAD. */
export function withoutBody(response: Response): Response {
  return new Response(null, response);
}

function envelope(requestId: string, leaseDuration: number, warnings: readonly string[]) {
  return {
    request_id: requestId,
    lease_id: "",
    renewable: false,
    lease_duration: leaseDuration,
    wrap_info: null,
    warnings: warnings.length > 0 ? warnings : null,
  };
}

function send(status: number, body: object | undefined): Response {
  if (body === undefined || WITHOUT_BODY.has(status)) return new Response(null, { status, headers: HEADERS });
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: HEADERS });
}
