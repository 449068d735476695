import type { TLSSocket } from "node:tls";

/** For a whole handshake. */
const HANDSHAKE_MS = 10_000;

interface UnderWay {
  readonly deadline: number;
  /** Kept: a socket that is closed has none any more. */
  readonly address: string | undefined;
}

/** TLS handshakes that are under way, and when their time is over: the runtime leaves one open that takes too long. */
export class Handshakes {
  readonly #underWay = new Map<TLSSocket, UnderWay>();
  readonly #onFailed: (why: string, address: string | undefined) => void;

  constructor(onFailed: (why: string, address: string | undefined) => void) {
    this.#onFailed = onFailed;
  }

  get size(): number {
    return this.#underWay.size;
  }

  begin(socket: TLSSocket, now: number): void {
    this.#underWay.set(socket, { deadline: now + HANDSHAKE_MS, address: socket.remoteAddress });
    socket.once("close", () => this.#failed(socket, "the TLS handshake failed"));
  }

  /** Whoever comes to the end of it is no longer counted here. */
  done(socket: TLSSocket): void {
    this.#underWay.delete(socket);
  }

  /** Looks at the clock: ends those whose time is over. */
  check(now: number): void {
    for (const [socket, { deadline }] of this.#underWay) {
      if (now < deadline) continue;
      this.#failed(socket, "the TLS handshake took too long");
      socket.destroy();
    }
  }

  #failed(socket: TLSSocket, why: string): void {
    const underWay = this.#underWay.get(socket);
    if (underWay === undefined) return;
    this.#underWay.delete(socket);
    this.#onFailed(why, underWay.address);
  }
}
