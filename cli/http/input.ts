import type { Intake } from "./intake.ts";
import type { Transport } from "./transport.ts";

/** Bytes that a client may send before it is held back, until somebody waits for more and it is its turn. */
const AT_A_TIME = 64 * 1024;

const EMPTY = Buffer.alloc(0);

/** What a client has sent and nobody has read yet. */
export class Input {
  readonly #transport: Pick<Transport, "pause" | "resume">;
  readonly #intake: Intake;
  readonly #onRead: (bytes: number) => void;
  #bytes: Buffer = EMPTY;
  #ended = false;
  #isHeld = false;
  /** Whether its turn will come. */
  #isQueued = false;
  /** Bytes that have come since it was let go. */
  #come = 0;
  #wake: (() => void) | undefined;

  /** `onRead`: told of bytes that have come, when they are 64 KiB or more. */
  constructor(transport: Pick<Transport, "pause" | "resume">, intake: Intake, onRead: (bytes: number) => void) {
    this.#transport = transport;
    this.#intake = intake;
    this.#onRead = onRead;
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
    this.#come += chunk.length;
    if (this.#come >= AT_A_TIME) this.#hold();
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
    this.#letPieceGo();
    // Who has waited before has left: the body is of a request that was answered.
    this.#notify();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.#isHeld && !this.#isQueued) this.#intake.next(() => this.#letGo());
    this.#isQueued = this.#isHeld;
    return promise;
  }

  /** Resolves when it is the turn of this connection, of those that keep the server busy. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#intake.next(resolve));
  }

  /** A view of what is left of a large piece would keep all of it for as long as the client is waited for. */
  #letPieceGo(): void {
    const { length, buffer } = this.#bytes;
    if (length > 0 && buffer.byteLength > 4 * length + 8192) this.#bytes = Buffer.concat([this.#bytes]);
  }

  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#transport.pause();
    this.#onRead(this.#come);
  }

  #letGo(): void {
    if (!this.#ended) this.#transport.resume();
    this.#isHeld = false;
    this.#isQueued = false;
    this.#come = 0;
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
