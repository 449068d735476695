/**
 * One connection: heads are read, requests handed to the app one after the other, answers written in the same order. A
 * client may send the next request before it has its answer; it waits unread.
 *
 * Every phase but the app's own has a deadline, which the server looks at once a second: a connection on which nothing
 * moves ends.
 */
import type { Answer } from "../../core/http/answer.ts";
import type { AnswerBudget } from "../../core/http/answer-budget.ts";
import type { HeaderValues, Incoming } from "../../core/http/incoming.ts";
import type { Backlog } from "./backlog.ts";
import { Body } from "./body.ts";
import { ANSWER, BODY, BODY_PAUSE, HEAD, IDLE, LINGER, SLOW_BODY, WRITE_PAUSE } from "./deadlines.ts";
import { BadRequest, type Head } from "./head.ts";
import { Heads } from "./heads.ts";
import { Input } from "./input.ts";
import type { Intake } from "./intake.ts";
import type { OnRefused, Refusal } from "./refusal.ts";
import { CONTINUE, encodeAnswer, encodeRefusal, type Encoded, isLarge } from "./response.ts";
import type { Receiver, Transport } from "./transport.ts";

/** Bytes of a body that nobody wants that are read: before the request, of a verb that has none; else for the next one. */
const DRAIN_LIMIT = 256 * 1024;

/** So many looks, a second apart, at which a head was not whole or no more of a body had come, make a slow client. */
const SLOW_LOOKS = 2;

/** Verbs whose body the app gets. That of every other one is dropped, as Vault does, but before the app is asked. */
const WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

export type App = (request: Incoming) => Answer | Promise<Answer>;

/** What a connection is to the server that accepted it. */
export interface Accepted {
  readonly app: App;
  /** Who sent a request that came from the address `socket`: that, or what a trusted proxy says. */
  readonly addressOf: (socket: string, headers: HeaderValues) => string;
  /** Whether the server is stopping: then each answer is the last of its connection. */
  readonly isStopping: () => boolean;
  /** Told of what the app is never asked, and of who is cut off for the sake of the others. */
  readonly onRefused?: OnRefused | undefined;
  /** Of all connections of the server, as the next. */
  readonly backlog: Backlog;
  readonly intake: Intake;
  /** Told of bytes that have come: of each 64 KiB of a connection, or more. */
  readonly onRead: (bytes: number) => void;
  /** Milliseconds since some fixed moment. */
  readonly now: () => number;
}

type Phase = "idle" | "head" | "body" | "app" | "writing" | "lingering";

export class Connection {
  readonly #transport: Transport;
  readonly #accepted: Accepted;
  readonly #input: Input;
  readonly #heads: Heads;
  /** When this connection's time is over, unless something moves. */
  #deadline = Infinity;
  /** When the time of the whole body or answer is over, whatever moves. */
  #end = Infinity;
  #phase: Phase = "idle";
  /** Looks since a head began, or since the last piece of a body. */
  #looks = 0;
  /** Bytes of the answer that the client had not taken at the last look. */
  #unsentBefore = 0;
  /** Called when all that was written is sent, or the connection is gone. */
  #onSent: (() => void) | undefined;
  #isGone = false;
  readonly #answers: AnswerBudget;
  /** Resolves when the connection is gone. */
  readonly #gone = Promise.withResolvers<void>();

  /** `connect` makes the transport, given who is told what happens on it. */
  constructor(connect: (receiver: Receiver) => Transport, accepted: Accepted) {
    this.#accepted = accepted;
    this.#answers = accepted.backlog.of(() => !this.#isGone);
    this.#transport = connect({
      onData: (chunk) => this.#onData(chunk),
      onEnd: () => this.#input.end(),
      onDrain: () => this.#sent(),
      onClose: () => {
        this.#isGone = true;
        this.#input.end();
        this.#sent();
        this.#gone.resolve();
      },
    });
    this.#input = new Input(this.#transport, accepted.intake, accepted.onRead);
    this.#heads = new Heads(this.#input);
  }

  /** Serves until the connection ends. Never rejects. */
  async serve(): Promise<void> {
    try {
      await this.#serveAll();
      await this.#linger();
    } catch (error) {
      if (error instanceof BadRequest) await this.#refuse(error);
    } finally {
      this.#transport.close();
    }
  }

  /** Since when it waits for a request of which nothing has come yet, on the server's clock; undefined: it does not. */
  get idleSince(): number | undefined {
    return this.#phase === "idle" && this.#input.bytes.length === 0 ? this.#deadline - IDLE : undefined;
  }

  /** Ends it if it waits for a request of which nothing has come yet. */
  endIfIdle(): void {
    if (this.idleSince !== undefined) this.#transport.close();
  }

  /**
   * Since when a client sends a head, or a body, with which it is slow, on the server's clock; undefined: it is not. Looks are
   * counted, for between two of them the system was asked what has come, however busy the server is.
   */
  slowSince(now: number): number | undefined {
    const isQuiet = this.#looks >= SLOW_LOOKS;
    if (this.#phase === "head") return isQuiet ? this.#deadline - HEAD : undefined;
    if (this.#phase !== "body" || !this.#input.isAwaited) return undefined;
    const begun = this.#end - BODY;
    return isQuiet || now >= begun + SLOW_BODY ? begun : undefined;
  }

  /** Bytes that came and that nobody reads as long as the requests before them are not answered. */
  get sentAhead(): number {
    return this.#input.isAwaited ? 0 : this.#input.bytes.length;
  }

  /** Bytes of its answer that the system has not taken yet. */
  get unsent(): number {
    return this.#transport.unsent;
  }

  /** Cuts it for the sake of the others. */
  cut(why: string, reason: Refusal = "unread"): void {
    this.#accepted.onRefused?.(reason, why, this.#transport.remoteAddress);
    this.destroy();
  }

  /** Cuts it, whatever is under way. */
  destroy(): void {
    this.#transport.destroy();
  }

  /** Looks at the clock: ends the connection when its time is over. */
  check(now: number): void {
    this.#looks += 1;
    // The time of a body counts only while the client is waited for.
    if (this.#phase === "body" && !this.#input.isAwaited) return;
    if (this.#phase === "writing") {
      const unsent = this.#transport.unsent;
      if (unsent < this.#unsentBefore) this.#deadline = now + WRITE_PAUSE;
      this.#unsentBefore = unsent;
    }
    if (now < Math.min(this.#deadline, this.#end)) return;
    // What the client has been sent before is its own; what it does not take must not be kept.
    if (this.#phase === "writing") this.#transport.destroy();
    else this.#transport.close();
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === "idle") this.#enter("head", HEAD);
    if (this.#phase === "body") this.#enter("body", BODY_PAUSE);
    this.#input.push(chunk);
  }

  #enter(phase: Phase, ms: number): void {
    this.#looks = 0;
    this.#phase = phase;
    this.#deadline = this.#accepted.now() + ms;
  }

  /** Answers one request after the other until the connection is to end. */
  async #serveAll(): Promise<void> {
    for (;;) {
      this.#expectHead();
      let head = this.#heads.take();
      while (head === undefined) {
        if (this.#input.ended) return;
        await this.#input.more();
        head = this.#heads.take();
      }
      this.#phase = "app";
      this.#deadline = Infinity;
      const body = this.#bodyOf(head);
      const isForApp = WITH_BODY.has(head.method);
      if (body !== undefined) {
        if (isForApp) body.checkSoFar();
        else await body.drop(DRAIN_LIMIT);
      }
      const asked = this.#ask(head, isForApp ? body : undefined);
      const answer = asked instanceof Promise ? await asked : asked;
      body?.leave();
      const keepAlive = head.keepAlive && !this.#accepted.isStopping() && this.#isDrainable(head, body);
      await this.#write(encodeAnswer(answer, { keepAlive, isOld: head.isOld, isHead: head.method === "HEAD" }));
      if (!keepAlive) return;
      if (body?.isDone === false) await body.drop(Infinity);
      // Of a connection that is gone, what it has sent is not carried out either.
      if (this.#isGone) return;
    }
  }

  /** The next bytes are those of a head. */
  #expectHead(): void {
    if (this.#input.bytes.length > 0) this.#enter("head", HEAD);
    else {
      this.#enter("idle", IDLE);
      // The stop came while the last answer was on its way, and has not ended this one.
      if (this.#accepted.isStopping()) this.endIfIdle();
    }
    this.#end = Infinity;
  }

  /** Undefined where there is none. */
  #bodyOf(head: Head): Body | undefined {
    if (head.body === 0) return undefined;
    return new Body(this.#input, head, (isBegun) => this.#askForBody(head.expectsContinue && !isBegun));
  }

  /** An unread body would be taken for the next request: a small one is read off, else the connection ends. */
  #isDrainable({ expectsContinue }: Head, body: Body | undefined): boolean {
    if (body === undefined || body.isDone || body.takeWhole() !== undefined) return true;
    return !expectsContinue && !this.#input.ended && body.left <= DRAIN_LIMIT;
  }

  #ask({ method, target, headers }: Head, body: Body | undefined): Answer | Promise<Answer> {
    const { remoteAddress, remotePort } = this.#transport;
    const address = remoteAddress === undefined ? undefined : this.#accepted.addressOf(remoteAddress, headers);
    const peer = { address, port: remotePort };
    return this.#accepted.app({ method, target, headers, body, peer, answers: this.#answers });
  }

  /** The app, or what reads an unwanted body off, waits for more of the body. */
  #askForBody(isExpected: boolean): void {
    if (this.#end === Infinity) {
      this.#end = this.#accepted.now() + BODY;
      if (isExpected) this.#transport.write(CONTINUE);
    }
    this.#enter("body", BODY_PAUSE);
  }

  /**
   * Resolves when it is sent, or the connection is gone. Not async, for then the text would be kept beside what the
   * transport makes of it until that is sent.
   */
  #write(encoded: Encoded): Promise<void> | undefined {
    if (this.#isGone) return undefined;
    const sent = new Promise<void>((resolve) => (this.#onSent = resolve));
    if (isLarge(encoded)) this.#accepted.backlog.made(encoded.bytes);
    this.#transport.write(encoded);
    this.#enter("writing", WRITE_PAUSE);
    this.#end = this.#deadline - WRITE_PAUSE + ANSWER;
    this.#unsentBefore = isLarge(encoded) ? this.#transport.unsent : encoded.bytes;
    return isLarge(encoded) && this.#unsentBefore > 0 ? this.#hold(encoded.bytes, sent) : sent;
  }

  async #hold(bytes: number, sent: Promise<void>): Promise<void> {
    using _held = this.#accepted.backlog.hold(this, bytes);
    await sent;
  }

  #sent(): void {
    this.#onSent?.();
    this.#onSent = undefined;
  }

  async #refuse({ status, message }: BadRequest): Promise<void> {
    this.#accepted.onRefused?.("malformed", message, this.#transport.remoteAddress);
    await this.#write(encodeRefusal(status));
    await this.#linger();
  }

  /**
   * Half-closes and waits until the client has closed its side: a connection that is cut while the client still sends is
   * reset, and an answer on its way with it (RFC 9112, §9.6).
   */
  async #linger(): Promise<void> {
    if (this.#isGone) return;
    this.#enter("lingering", LINGER);
    this.#transport.end();
    await Promise.race([this.#gone.promise, this.#input.ended ? undefined : this.#ended()]);
  }

  async #ended(): Promise<void> {
    while (!this.#input.ended) {
      this.#input.take(this.#input.bytes.length);
      await this.#input.more();
    }
  }
}
