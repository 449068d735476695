/**
 * Audit lines to a TCP or Unix socket. The connection is made for the first line and again after it was lost. A line is
 * handed over when the kernel has taken it: should the other side die then, it is lost.
 */

import type { Socket } from "bun";
import type { AuditDevice } from "../../core/audit/device.ts";
import { LineWriter, type Sink } from "./line-writer.ts";

/**
 * Connections that were given up, because their other side pauses: it may still read what the kernel has of them, which counts
 * as handed over. So many there may be, each of up to 4 MB; before so many milliseconds none is cut for the sake of a further one.
 */
const MOST_LEFT = 4;
const LEFT_MS = 60_000;

export type SocketAddress = { readonly hostname: string; readonly port: number } | { readonly unix: string };

/** `limitMs`: how long connecting and writing may take together. */
export function openSocketDevice(address: SocketAddress, limitMs: number): AuditDevice {
  const sink = new SocketSink(address);
  const lines = new LineWriter(sink, limitMs);
  return {
    write: (line) => lines.write(line),
    /** A collector that was restarted, or moved, is found by a new connection. */
    reopen() {
      sink.renew();
      return Promise.resolve();
    },
    async close() {
      await lines.drained();
      sink.close();
    },
  };
}

/** What is being sent. */
interface Sending {
  readonly bytes: Uint8Array;
  at: number;
  readonly done: PromiseWithResolvers<void>;
}

class SocketSink implements Sink {
  readonly #address: SocketAddress;
  #socket: Socket | undefined;
  #sending: Sending | undefined;
  /** The next is sent over another connection. */
  #isStale = false;
  /** Goes up when a connection is given up, so that one which comes about later is not taken. */
  #attempt = 0;
  /** Those that were given up and have not ended, the oldest first, and since when. */
  readonly #left = new Map<Socket, number>();

  constructor(address: SocketAddress) {
    this.#address = address;
  }

  send(bytes: Uint8Array): Promise<void> {
    if (this.#isStale) this.disconnect();
    const done = Promise.withResolvers<void>();
    this.#sending = { bytes, at: 0, done };
    if (this.#socket === undefined) this.#connect();
    else this.#goOn(this.#socket);
    return done.promise;
  }

  /** Half a line may have gone out: whoever reads it must see that the connection ends there. */
  abort(): void {
    this.#fail(new Error("the connection was given up"));
  }

  /** What is being sent goes on over the connection that it has begun with. */
  renew(): void {
    if (this.#sending === undefined) this.disconnect();
    else this.#isStale = true;
  }

  /** The kernel goes on sending what it has. */
  close(): void {
    this.disconnect();
    for (const socket of this.#left.keys()) socket.end();
  }

  disconnect(): void {
    this.#isStale = false;
    this.#attempt += 1;
    this.#socket?.end();
    this.#socket = undefined;
  }

  #connect(): void {
    if (!this.#hasRoom()) return this.#fail(new Error("the other side does not take what it was sent before"));
    this.#attempt += 1;
    const attempt = this.#attempt;
    const isCurrent = () => attempt === this.#attempt;
    const lost = (why: string, cause?: unknown) => {
      if (isCurrent()) this.#fail(new Error(why, { cause }));
    };
    const socket = {
      open: (opened: Socket) => {
        if (isCurrent()) this.#take(opened);
        else opened.terminate();
      },
      drain: (opened: Socket) => {
        if (isCurrent()) this.#goOn(opened);
      },
      // Nothing is expected to be said.
      data: () => undefined,
      end: () => lost("the other side ended the connection"),
      close: (opened: Socket) => {
        lost("the connection was lost");
        this.#left.delete(opened);
      },
      error: (_opened: Socket, error: Error) => lost("the connection failed", error),
    };
    const address = this.#address;
    const connected =
      "unix" in address ? Bun.connect({ unix: address.unix, socket }) : Bun.connect({ ...address, socket });
    connected.catch((error: unknown) => lost("no connection", error));
  }

  #take(socket: Socket): void {
    this.#socket = socket;
    this.#goOn(socket);
  }

  #goOn(socket: Socket): void {
    const sending = this.#sending;
    if (sending === undefined) return;
    const written = socket.write(sending.at === 0 ? sending.bytes : sending.bytes.subarray(sending.at));
    if (written < 0) return this.#fail(new Error("the connection is closed"));
    sending.at += written;
    if (sending.at < sending.bytes.length) return;
    this.#sending = undefined;
    sending.done.resolve();
  }

  /** Half-closes it: what the kernel has of it goes out before the end. */
  #leave(socket: Socket): void {
    this.#left.set(socket, performance.now());
    socket.shutdown();
  }

  /** Whether there may be a connection more. */
  #hasRoom(): boolean {
    if (this.#left.size < MOST_LEFT) return true;
    const [[oldest, since] = []] = this.#left;
    if (oldest === undefined || since === undefined || performance.now() - since < LEFT_MS) return false;
    this.#left.delete(oldest);
    oldest.terminate();
    return true;
  }

  #fail(error: Error): void {
    this.#attempt += 1;
    if (this.#socket !== undefined) this.#leave(this.#socket);
    this.#socket = undefined;
    this.#sending?.done.reject(error);
    this.#sending = undefined;
  }
}
