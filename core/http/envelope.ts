/**
 * From a reply to a response: Vault's envelope, the headers that every answer carries, and the form of errors.
 */
import type { WireError } from "../errors.ts";
import type { Reply, Route } from "../plugin.ts";
import type { Answer } from "./answer.ts";
import type { ObjectText } from "./json.ts";

const HEADERS = {
  "cache-control": "no-store",
  "content-type": "application/json",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
};
const NONE = {};
/** Statuses whose responses have no body (Fetch standard, "null body status"). */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** The id of a request, which the envelope and the log name. */
export function newRequestId(): string {
  return globalThis.crypto.randomUUID();
}

export function respond(reply: Reply, form: Route["form"], requestId: string): Answer {
  if (reply.kind === "empty") return send(204, undefined);
  if (reply.kind === "text") {
    const headers = { ...HEADERS, "content-type": reply.contentType };
    return { status: reply.status ?? 200, headers, body: reply.text };
  }
  if (reply.kind === "bare") return send(reply.status ?? 200, reply.body);
  const { warnings = [] } = reply;
  if (reply.kind === "auth") return send(200, { ...envelope(requestId, 0, warnings), data: null, auth: reply.auth });
  const { leaseDuration = 0 } = reply;
  if (reply.kind === "json") return sendData(requestId, leaseDuration, warnings, reply.json);
  const { data } = reply;
  if (form === "duplicate" && data !== null) {
    return send(200, { ...data, ...envelope(requestId, leaseDuration, warnings), data, auth: null });
  }
  return sendData(requestId, leaseDuration, warnings, { text: JSON.stringify(data), isAscii: false });
}

/** The {@link envelope} around a JSON text. Most answers are of this kind: no object is made for them. */
function sendData(
  requestId: string,
  leaseDuration: number,
  warnings: readonly string[],
  data: Pick<ObjectText, "text" | "isAscii">,
): Answer {
  const warned = warnings.length > 0 ? JSON.stringify(warnings) : "null";
  const body = `{"request_id":"${requestId}","lease_id":"","renewable":false,"lease_duration":${leaseDuration},"wrap_info":null,"warnings":${warned},"data":${data.text},"auth":null}\n`;
  return { status: 200, headers: HEADERS, body, isAscii: data.isAscii && warnings.length === 0 };
}

export function respondWithError({ status, errors, retryAfter }: WireError): Answer {
  const answer = send(status, { errors });
  return retryAfter === undefined
    ? answer
    : { ...answer, headers: { ...answer.headers, "retry-after": String(retryAfter) } };
}

/** A path or header that no handler of Vault's ever sees: 400 without body and without the usual headers. */
export function respondUnreadable(): Answer {
  return { status: 400, headers: NONE, body: undefined };
}

/** The same answer without its body, for HEAD. */
export function withoutBody(answer: Answer): Answer {
  return { ...answer, body: undefined };
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

function send(status: number, body: object | undefined): Answer {
  const isEmpty = body === undefined || WITHOUT_BODY.has(status);
  return { status, headers: HEADERS, body: isEmpty ? undefined : `${JSON.stringify(body)}\n` };
}
