import type { TLSSocket } from "node:tls";

/** For a whole handshake. */
const HANDSHAKE_MS = 10_000;

interface UnderWay {
  readonly deadline: number;
  /** Kept: a socket that is closed has none any more. */
  readonly address: string | undefined;
}

/**
 * TLS handshakes that are under way. Their time is limited, for the runtime leaves one open that takes too long; and so is
 * their number, apart from that of connections: to begin one costs a client nothing, and must put nobody else out.
 */
export class Handshakes {
  /** The oldest is the first. */
  readonly #underWay = new Map<TLSSocket, UnderWay>();
  readonly #most: number;
  readonly #onFailed: (why: string, address: string | undefined) => void;

  constructor(most: number, onFailed: (why: string, address: string | undefined) => void) {
    this.#most = most;
    this.#onFailed = onFailed;
  }

  /** When there are too many, the oldest makes way: a client that means it is done soon. */
  begin(socket: TLSSocket, now: number): void {
    const [oldest] = this.#underWay.keys();
    if (oldest !== undefined && this.#underWay.size >= this.#most)
      this.#end(oldest, "the TLS handshake made way for a newer one");
    this.#underWay.set(socket, { deadline: now + HANDSHAKE_MS, address: socket.remoteAddress });
    socket.once("close", () => this.#failed(socket, "the TLS handshake failed"));
  }

  /** Whoever comes to the end of it is no longer counted here. False: it has been ended before. */
  done(socket: TLSSocket): boolean {
    return this.#underWay.delete(socket);
  }

  /** Looks at the clock: ends those whose time is over. */
  check(now: number): void {
    for (const [socket, { deadline }] of this.#underWay) {
      if (now >= deadline) this.#end(socket, "the TLS handshake took too long");
    }
  }

  #end(socket: TLSSocket, why: string): void {
    this.#failed(socket, why);
    socket.destroy();
  }

  #failed(socket: TLSSocket, why: string): void {
    const underWay = this.#underWay.get(socket);
    if (underWay === undefined) return;
    this.#underWay.delete(socket);
    this.#onFailed(why, underWay.address);
  }
}
