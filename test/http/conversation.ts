/**
 * One connection of the HTTP server, without a socket: bytes go in in the pieces that a test chooses, and what the app was
 * asked and what was answered come out. Nothing in it takes time.
 */
import { Backlog } from "../../cli/http/backlog.ts";
import { type Accepted, Connection } from "../../cli/http/connection.ts";
import type { Encoded } from "../../cli/http/response.ts";
import { Intake } from "../../cli/http/intake.ts";
import type { HeaderFields } from "../../cli/http/head.ts";
import type { Answer as AppAnswer } from "../../core/http/answer.ts";
import type { Receiver, Transport } from "../../cli/http/transport.ts";
import { testClock, turns } from "../harness.ts";
import { type Answer, parseAnswers } from "./answers.ts";

/** A request as the app got it. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  /** One character for each byte. */
  readonly body: string;
}

export interface Conversation {
  readonly seen: readonly Seen[];
  readonly answers: readonly Answer[];
}

/** Answers every request, when it has read the body, with what it was asked. */
export function recorder(seen: Seen[]): Accepted["app"] {
  return async ({ method, target, headers, body: sent }) => {
    let body: string;
    try {
      body = Buffer.from((await sent?.whole()) ?? []).toString("latin1");
    } catch {
      return textAnswer("the body could not be read", 400);
    }
    seen.push({ method, target, headers: new Headers([...(headers as HeaderFields)]), body });
    const headersOfAnswer = { "x-request": String(seen.length) };
    return { status: 200, headers: headersOfAnswer, body: `${method} ${target} ${body.length}` };
  };
}

/** An answer without headers of its own. */
export function textAnswer(body: string | undefined, status = 200): AppAnswer {
  return { status, headers: {}, body };
}

/** What a connection has sent, and whether it has ended. */
export class FakeTransport implements Transport {
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort = 1024;
  unsent = 0;
  readonly receiver: Receiver;
  readonly sent: string[] = [];
  /** Whether the client takes nothing more. */
  isFull = false;
  isPaused = false;
  isClosed = false;

  constructor(receiver: Receiver) {
    this.receiver = receiver;
  }

  write({ text, bytes }: Encoded): void {
    if (Buffer.byteLength(text) !== bytes) throw new Error(`${bytes} bytes were said of a text that has others`);
    this.sent.push(text);
    if (!this.isFull) this.receiver.onDrain();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    // The other side is told nothing.
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.receiver.onClose();
  }

  destroy(): void {
    this.close();
  }

  get text(): string {
    return Buffer.from(this.sent.join("")).toString("latin1");
  }
}

export interface Opened {
  readonly connection: Connection;
  readonly transport: FakeTransport;
  /** Resolves when the connection has ended. */
  readonly served: Promise<void>;
}

/** A connection that is served. */
export function openConnection(
  app: Accepted["app"],
  {
    now = () => 0,
    backlog = new Backlog(testClock()),
    intake = new Intake(),
    onRead = () => undefined,
    onRefused,
  }: Partial<Pick<Accepted, "now" | "backlog" | "intake" | "onRead" | "onRefused">> = {},
): Opened {
  let made: FakeTransport | undefined;
  const connection = new Connection((receiver) => (made = new FakeTransport(receiver)), {
    app,
    addressOf: (socket) => socket,
    isStopping: () => false,
    onRefused,
    backlog,
    intake,
    onRead,
    now,
  });
  if (made === undefined) throw new Error("the connection has no transport");
  return { connection, transport: made, served: connection.serve() };
}

/** Sends the pieces one by one, then closes the client's side; resolves when the server has closed its own. */
export async function converse(pieces: readonly string[], app?: Accepted["app"]): Promise<Conversation> {
  const seen: Seen[] = [];
  const methods: string[] = [];
  const answer = app ?? recorder(seen);
  const { transport, served } = openConnection((request) => {
    methods.push(request.method);
    return answer(request);
  });
  for (const piece of pieces) {
    if (transport.isClosed) break;
    transport.receiver.onData(Buffer.from(piece, "latin1"));
    if (pieces.length > 1) await turns(1);
  }
  transport.receiver.onEnd();
  await served;
  return { seen, answers: parseAnswers(transport.text, methods) };
}
