import type { IncomingBody } from "../../core/http/incoming.ts";
import { Chunks, type Taken } from "./chunked.ts";
import { BadRequest, type Head } from "./head.ts";
import type { Input } from "./input.ts";

/** Bytes that are handed on together: those who collect a body pay for each piece of it. */
const PIECE = 16 * 1024;
/** Bytes of it that are read in one go: a piece, and what its framing may take. */
const AT_ONCE = PIECE + 4 * 1024;
/** Bytes of it that are looked at before the request is carried out. */
const BEGINNING = 4 * 1024;
/** Bytes of the framing of chunks after which others have their turn: a thousand chunks. */
const MUCH_FRAMING = 4 * 1024;
const EMPTY: Buffer = Buffer.alloc(0);

/** The body of one request, on its way in. */
export class Body implements IncomingBody {
  readonly #input: Input;
  /** Called before bytes are waited for; `isBegun`: some of the body have come before. */
  readonly #ask: (isBegun: boolean) => void;
  readonly #chunks: Chunks | undefined;
  /** Bytes that are still to come of a body whose length is known. */
  #left: number;
  /** Bytes of the framing of chunks when it had its last turn. */
  #framing = 0;
  #isBegun = false;
  #isAnswered = false;

  constructor(input: Input, { body }: Pick<Head, "body">, ask: (isBegun: boolean) => void) {
    this.#input = input;
    this.#ask = ask;
    this.#chunks = body === "chunked" ? new Chunks() : undefined;
    this.#left = body === "chunked" ? 0 : body;
  }

  /** Whether all of it was read. */
  get isDone(): boolean {
    return this.#chunks?.isDone ?? this.#left === 0;
  }

  /** Bytes that are still to be read; infinitely many where that is not known. */
  get left(): number {
    return this.#chunks !== undefined && !this.isDone ? Infinity : this.#left;
  }

  /**
   * Throws BadRequest where the beginning of what has come is no body. To be called before it is read, for it may never be:
   * nothing is carried out of a request about whose end a proxy and this server may disagree.
   */
  checkSoFar(): void {
    if (this.#chunks !== undefined) new Chunks().take(this.#input.bytes.subarray(0, BEGINNING));
  }

  /** All of it. Throws as the iterator. */
  async whole(): Promise<Buffer> {
    const whole = this.takeWhole();
    if (whole !== undefined) return whole;
    const pieces: Buffer[] = [];
    for await (const piece of this) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** All of it, if its length is known and it is here. */
  takeWhole(): Buffer | undefined {
    if (this.#chunks !== undefined || this.#input.bytes.length < this.#left) return undefined;
    const whole = this.#input.take(this.#left);
    this.#left = 0;
    return whole;
  }

  /**
   * Pieces of at least {@link PIECE}, but for the end. Throws BadRequest, and an Error when the client goes away before the
   * end, or the request has been answered meanwhile.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.#pieces(true);
  }

  async *#pieces(isForApp: boolean): AsyncGenerator<Buffer, void, undefined> {
    for (let piece = await this.#read(isForApp); piece !== undefined; piece = await this.#read(isForApp)) yield piece;
  }

  /** Some more of it; undefined at its end. */
  async #read(isForApp: boolean): Promise<Buffer | undefined> {
    let piece = EMPTY;
    while (!this.isDone && piece.length < PIECE) {
      if (isForApp && this.#isAnswered) throw new Error("the request was answered");
      const { data, used } = this.#next();
      if (data.length > 0) piece = piece.length === 0 ? data : Buffer.concat([piece, data]);
      if (used > 0) {
        this.#isBegun = true;
        this.#input.take(used);
        const turn = this.#othersFirst();
        if (turn !== undefined) await turn;
      } else await this.#wait();
    }
    return piece.length === 0 ? undefined : piece;
  }

  /** The request is answered: who reads the body now gets no more of it, for the input is another's. */
  leave(): void {
    this.#isAnswered = true;
  }

  /** Reads and drops what is left of it. Throws as the iterator, and BadRequest where that is more than `limit` bytes. */
  async drop(limit: number): Promise<void> {
    const check = (bytes: number) => {
      if (bytes > limit) throw new BadRequest("a body that has no meaning is too large", 413);
    };
    check(this.#left);
    let dropped = 0;
    for await (const piece of this.#pieces(false)) check((dropped += piece.length));
  }

  #next(): Taken {
    const { bytes } = this.#input;
    if (this.#chunks !== undefined) return this.#chunks.take(bytes.subarray(0, AT_ONCE));
    const used = Math.min(this.#left, bytes.length);
    this.#left -= used;
    return { data: bytes.subarray(0, used), used };
  }

  #othersFirst(): Promise<void> | undefined {
    const { framing = 0 } = this.#chunks ?? {};
    if (framing - this.#framing < MUCH_FRAMING) return undefined;
    this.#framing = framing;
    return this.#input.turn();
  }

  async #wait(): Promise<void> {
    if (this.#input.ended) throw new Error("the client went away");
    this.#ask(this.#isBegun || this.#input.bytes.length > 0);
    await this.#input.more();
  }
}
