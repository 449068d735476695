import type { Clock } from "../clock.ts";
import type { RequestInFlight } from "../needs.ts";
import type { Peer } from "./peer.ts";

/** What is known of a request that waits for its answer. */
interface Waiting {
  readonly id: string;
  /** The verb as it was sent. */
  readonly method: string;
  /** Undefined until the path is decoded. */
  readonly path: string | undefined;
  readonly peer: Peer;
  /** By the monotonic clock. */
  readonly started: number;
}

/** The requests that wait for their answer. */
export class InFlight {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#waiting.size;
  }

  enter(request: Waiting): void {
    this.#waiting.add(request);
  }

  leave(request: Waiting): void {
    this.#waiting.delete(request);
  }

  list(): RequestInFlight[] {
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    return Array.from(this.#waiting, ({ id, method, path, peer, started }) => ({
      id,
      method,
      path: path === undefined ? "" : `/v1/${path}`,
      remoteAddress: addressOf(peer),
      startTime: new Date(wall - (monotonic - started)).toISOString(),
    }));
  }
}

function addressOf({ address, port }: Peer): string {
  if (address === undefined) return "";
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
