/**
 * The bytes of one connection, with or without TLS. In the clear they come from the runtime's own sockets, which take less
 * memory and time than those of `node:net`; TLS is `node:tls`, whose certificates can be renewed.
 */
import type { Socket } from "node:net";
import type { Outbox } from "./outbox.ts";
import { type Encoded, isLarge } from "./response.ts";

export interface Transport {
  /** Without brackets; undefined over a Unix socket. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** Bytes that were written and that the client has not taken yet. */
  readonly unsent: number;
  /** Sends it: `onDrain` follows, or `onClose`. */
  write(encoded: Encoded): void;
  pause(): void;
  resume(): void;
  /** Closes this side when all is sent. */
  end(): void;
  /** Closes the connection; what the system has taken of the answer still goes out. */
  close(): void;
  /** Cuts the connection: what the client has not taken is dropped. */
  destroy(): void;
}

/** Handed to the stream of TLS at once: how much of an answer a client has taken is known in steps of this. */
const PIECE = 64 * 1024;

/** Who is told what happens on a connection. */
export interface Receiver {
  onData(chunk: Buffer): void;
  /** The client has closed its side. */
  onEnd(): void;
  /** All that was written is sent. */
  onDrain(): void;
  /** The connection is gone. Comes once, whatever ended it. */
  onClose(): void;
}

export class NodeTransport implements Transport {
  readonly #socket: Socket;
  readonly #onSent: (error?: Error | null) => void;

  constructor(socket: Socket, receiver: Receiver) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => receiver.onData(chunk));
    socket.on("end", () => receiver.onEnd());
    // What is dropped is not sent: with it taken for sent the next request would be carried out, for nobody.
    this.#onSent = (error) => {
      if (!error && socket.writableLength === 0) receiver.onDrain();
    };
    // What went wrong is the client's affair; "close" follows.
    socket.on("error", () => undefined);
    socket.on("close", () => receiver.onClose());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get unsent(): number {
    return this.#socket.writableLength;
  }

  write({ text }: Encoded): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += PIECE) this.#socket.write(bytes.subarray(at, at + PIECE), this.#onSent);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  destroy(): void {
    // Closed in order, one that is full keeps its answer and its descriptor for some ten seconds more.
    this.#socket.resetAndDestroy();
  }
}

export class BunTransport implements Transport {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly #socket: Bun.Socket<unknown>;
  readonly #receiver: Receiver;
  readonly #outbox: Outbox;
  /** Bytes where the system has been asked to take a text, and has not taken all of it. */
  readonly #unsent: { readonly text: string | Buffer; readonly bytes: number }[] = [];
  #isEnding = false;
  #isClosed = false;

  constructor(socket: Bun.Socket<unknown>, receiver: Receiver, outbox: Outbox) {
    this.#socket = socket;
    this.#receiver = receiver;
    this.#outbox = outbox;
    // Once: the runtime asks the system each time. Empty over a Unix socket.
    this.remoteAddress = socket.remoteAddress || undefined;
    this.remotePort = socket.remotePort;
  }

  get unsent(): number {
    return this.#unsent.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  write(encoded: Encoded): void {
    if (this.#isClosed) return;
    const count = this.#unsent.push(encoded);
    // What is large goes at once: those of a whole turn would be in memory together.
    if (isLarge(encoded)) this.flush();
    else if (count === 1) this.#outbox.add(this);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#isEnding = true;
    if (this.#unsent.length === 0 && !this.#isClosed) this.#socket.shutdown();
  }

  close(): void {
    if (!this.#isClosed) this.#socket.end();
  }

  destroy(): void {
    if (!this.#isClosed) this.#socket.terminate();
  }

  /** Sends what the system takes. Called by the outbox, and by the runtime when there is room again. */
  flush(): void {
    if (this.#isClosed) return;
    for (;;) {
      const [next] = this.#unsent;
      if (next === undefined) break;
      const sent = this.#socket.write(next.text);
      // Less than none: the connection is gone. Of one that is paused the runtime does not tell.
      if (sent < 0) {
        this.#socket.terminate();
        return;
      }
      if (sent < next.bytes) {
        const rest = (typeof next.text === "string" ? Buffer.from(next.text) : next.text).subarray(sent);
        this.#unsent[0] = { text: rest, bytes: rest.length };
        return;
      }
      this.#unsent.shift();
    }
    this.#receiver.onDrain();
    if (this.#isEnding) this.#socket.shutdown();
  }

  /** The runtime's side: the connection is gone. */
  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsent.length = 0;
    this.#receiver.onClose();
  }
}
