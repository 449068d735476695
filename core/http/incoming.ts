/** A request as the pipeline reads it. A listener of our own makes one of its parser's; others come as a `Request`. */
import type { AnswerBudget } from "./answer-budget.ts";
import type { Peer } from "./peer.ts";

/** Of a header that came more than once, the values joined by ", ". Names are asked for in lower case. */
export interface HeaderValues {
  get(name: string): string | null;
}

/** Pieces of a body as they come. Rejects when the client goes away before the end, or sends what is no body. */
export interface IncomingBody extends AsyncIterable<Uint8Array> {
  /** All of it, where it is known to be small. */
  whole(): Promise<Uint8Array>;
}

export interface Incoming {
  /** The verb as it was sent. */
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly headers: HeaderValues;
  /** Undefined where there is none, or the verb has none. */
  readonly body: IncomingBody | undefined;
  readonly peer: Peer;
  /** Undefined where answers are not bounded, as those of `fetch`. */
  readonly answers?: AnswerBudget | undefined;
}

/** The request that a runtime's server, or a test, hands in. */
export function incomingOf(request: Request, peer: Peer): Incoming {
  const { method, url, headers } = request;
  return { method, target: targetOf(url), headers, body: bodyOf(request), peer };
}

/** Path and query of a URL. Where the Host header is none, some runtimes give the target alone. */
function targetOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const end = url.indexOf("#");
  return start === -1 ? "/" : url.slice(start, end === -1 ? undefined : end);
}

function bodyOf(request: Request): IncomingBody | undefined {
  const stream = request.body;
  if (stream === null) return undefined;
  return {
    whole: async () => new Uint8Array(await request.arrayBuffer()),
    [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
  };
}
