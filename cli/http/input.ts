import type { Transport } from "./transport.ts";

/** Bytes that may wait to be read before the client is held back. */
const HIGH_WATER = 64 * 1024;

const EMPTY = Buffer.alloc(0);

/** What a client has sent and nobody has read yet. The client is held back while nobody waits for more. */
export class Input {
  readonly #transport: Pick<Transport, "pause" | "resume">;
  #bytes: Buffer = EMPTY;
  #ended = false;
  #isHeld = false;
  #wake: (() => void) | undefined;

  constructor(transport: Pick<Transport, "pause" | "resume">) {
    this.#transport = transport;
  }

  /** Unread bytes. Valid until the next {@link more}. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Whether nothing more will come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether somebody waits for more. */
  get isAwaited(): boolean {
    return this.#wake !== undefined;
  }

  /** The transport's side: bytes have come. */
  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (this.#bytes.length >= HIGH_WATER) this.#hold();
    this.#notify();
  }

  /** The transport's side: no more will come. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Takes `count` bytes off the front. */
  take(count: number): Buffer {
    const bytes = this.#bytes;
    // Nothing of a large piece is held on to for the sake of its empty end.
    this.#bytes = count < bytes.length ? bytes.subarray(count) : EMPTY;
    return count < bytes.length ? bytes.subarray(0, count) : bytes;
  }

  /** Resolves when there are more bytes than there were, or none will come. One waits at a time. */
  more(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.#isHeld) this.#transport.resume();
    this.#isHeld = false;
    return promise;
  }

  #hold(): void {
    if (!this.#isHeld) this.#transport.pause();
    this.#isHeld = true;
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
