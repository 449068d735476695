/**
 * One connection: heads are read, requests handed to the app one after the other, answers written in the same order. A
 * client may send the next request before it has its answer; it waits unread.
 *
 * Every phase but the app's own has a deadline, which the server looks at once a second: a connection on which nothing
 * moves ends.
 */
import type { Socket } from "node:net";
import type { Peer } from "../../core/http/peer.ts";
import { Body } from "./body.ts";
import { BadRequest, findHeadEnd, type Head, parseHead } from "./head.ts";
import { Input } from "./input.ts";
import { CONTINUE, encodeRefusal, encodeResponse } from "./response.ts";

/** Milliseconds. */
const IDLE = 120_000;
const HEAD = 10_000;
/** Between two pieces of a body, and for a whole one. */
const BODY_PAUSE = 30_000;
const BODY = 300_000;
/** Between two pieces of an answer that the client takes. */
const WRITE_PAUSE = 30_000;
/** After the last answer, for the client to have read it before the connection is cut. */
const LINGER = 2000;

/** Bytes of a body that nobody wanted that are read for the sake of the next request. */
const DRAIN_LIMIT = 256 * 1024;

/** Verbs whose body the app gets; of every other one it is dropped, as Vault does. */
const WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);
/** Where every request seems to go: the app reads the target beside it, which the URL parser would change. */
const URL = "http://localhost/";

export type App = (request: Request, peer: Peer) => Response | Promise<Response>;

/** What a connection is to the server that accepted it. */
export interface Accepted {
  readonly app: App;
  /** From the headers of proxies that are trusted, or the socket's own. */
  readonly addressOf: (socket: Socket, headers: Headers) => string | undefined;
  /** Whether the server is stopping: then each answer is the last of its connection. */
  readonly isStopping: () => boolean;
}

type Phase = "idle" | "head" | "body" | "app" | "writing" | "lingering";

export class Connection {
  readonly #socket: Socket;
  readonly #accepted: Accepted;
  readonly #input: Input;
  /** When this connection's time is over, in milliseconds of `performance.now()`. */
  #deadline = Infinity;
  /** When the time of the whole body is over. */
  #bodyEnd = Infinity;
  #phase: Phase = "idle";
  /** Bytes of the answer that the client had not taken at the last look. */
  #unsent = 0;
  /** Resolves when the connection is gone. */
  readonly #gone = Promise.withResolvers<void>();

  constructor(socket: Socket, accepted: Accepted) {
    this.#socket = socket;
    this.#accepted = accepted;
    this.#input = new Input(socket);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#input.end());
    // What went wrong is the client's affair; "close" follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#input.end();
      this.#gone.resolve();
    });
  }

  /** Serves until the connection ends. Never rejects. */
  async serve(): Promise<void> {
    try {
      while (await this.#serveOne());
      await this.#linger();
    } catch (error) {
      if (error instanceof BadRequest) await this.#refuse(error);
    } finally {
      this.#socket.destroy();
    }
  }

  /** Ends it if it waits for a request of which nothing has come yet. */
  endIfIdle(): void {
    if (this.#phase === "idle" && this.#input.bytes.length === 0) this.#socket.destroy();
  }

  /** Cuts it, whatever is under way. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Looks at the clock: ends the connection when its time is over. */
  check(now: number): void {
    // The time of a body counts only while the client is waited for.
    if (this.#phase === "body" && !this.#input.isAwaited) return;
    if (this.#phase === "writing") {
      const unsent = this.#socket.writableLength;
      if (unsent < this.#unsent) this.#deadline = now + WRITE_PAUSE;
      this.#unsent = unsent;
    }
    if (now >= Math.min(this.#deadline, this.#bodyEnd)) this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === "lingering") return;
    if (this.#phase === "idle") this.#enter("head", HEAD);
    if (this.#phase === "body") this.#enter("body", BODY_PAUSE);
    this.#input.push(chunk);
  }

  #enter(phase: Phase, ms: number): void {
    this.#phase = phase;
    this.#deadline = performance.now() + ms;
  }

  /** False when the connection is to end. */
  async #serveOne(): Promise<boolean> {
    const head = await this.#readHead();
    if (head === undefined) return false;
    const body = new Body(this.#input, head, () => this.#askForBody(head));
    const response = await this.#ask(head, body);
    // An unread body would be taken for the next request: a small one is read off, else the connection ends.
    const isDrainable = body.isDone || (!head.expectsContinue && body.left <= DRAIN_LIMIT);
    const keepAlive = head.keepAlive && !this.#accepted.isStopping() && isDrainable;
    const framing = { keepAlive, isOld: head.isOld, isHead: head.method === "HEAD" };
    await this.#write(await encodeResponse(response, framing));
    if (keepAlive && !body.isDone) await body.drain();
    this.#bodyEnd = Infinity;
    return keepAlive;
  }

  /** The next head; undefined when the client sends none any more. */
  async #readHead(): Promise<Head | undefined> {
    if (this.#input.bytes.length > 0) this.#enter("head", HEAD);
    else this.#enter("idle", IDLE);
    let looked = 0;
    for (;;) {
      this.#skipEmptyLine();
      const end = findHeadEnd(this.#input.bytes, looked);
      if (end !== undefined) return parseHead(this.#input.take(end));
      if (this.#input.ended) return undefined;
      looked = this.#input.bytes.length;
      await this.#input.more();
    }
  }

  /** Some clients end a body with a line break that is not part of it (RFC 9112, §2.2). */
  #skipEmptyLine(): void {
    const { bytes } = this.#input;
    if (bytes[0] === 0x0d && bytes[1] === 0x0a) this.#input.take(2);
  }

  async #ask(head: Head, body: Body): Promise<Response> {
    const { method, target, headers } = head;
    const peer: Peer = {
      method,
      target,
      address: this.#accepted.addressOf(this.#socket, headers),
      port: this.#socket.remotePort,
    };
    const content = WITH_BODY.has(method) ? (body.takeWhole() ?? streamOf(body)) : null;
    this.#phase = "app";
    this.#deadline = Infinity;
    const request = new Request(URL, {
      method: content === null ? "GET" : method,
      headers,
      body: content instanceof Buffer && content.length === 0 ? null : content,
    });
    return this.#accepted.app(request, peer);
  }

  /** The app waits for the body. */
  #askForBody({ expectsContinue }: Head): void {
    if (expectsContinue && this.#input.bytes.length === 0) this.#socket.write(CONTINUE);
    this.#bodyEnd = performance.now() + BODY;
    this.#enter("body", BODY_PAUSE);
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#enter("writing", WRITE_PAUSE);
    this.#bodyEnd = Infinity;
    this.#unsent = bytes.length;
    if (this.#socket.write(bytes)) return;
    await Promise.race([new Promise<void>((resolve) => this.#socket.once("drain", resolve)), this.#gone.promise]);
  }

  async #refuse({ status }: BadRequest): Promise<void> {
    await this.#write(encodeRefusal(status));
    await this.#linger();
  }

  /**
   * Half-closes and waits until the client has closed its side: a connection that is cut while the client still sends is
   * reset, and an answer on its way with it (RFC 9112, §9.6).
   */
  async #linger(): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#enter("lingering", LINGER);
    this.#socket.end();
    this.#socket.resume();
    await Promise.race([this.#gone.promise, this.#input.ended ? undefined : this.#ended()]);
  }

  async #ended(): Promise<void> {
    while (!this.#input.ended) await this.#input.more();
  }
}

function streamOf(body: Body): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream(
    {
      async pull(controller) {
        const data = await body.read();
        if (data === undefined) controller.close();
        else controller.enqueue(new Uint8Array(data));
      },
    },
    { highWaterMark: 0 },
  );
}
