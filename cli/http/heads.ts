import { type Head, HeadReader } from "./head.ts";
import type { Input } from "./input.ts";

const CR = 0x0d;
const LF = 0x0a;

/** The heads of one connection, taken off its input one after the other. */
export class Heads {
  readonly #input: Input;
  readonly #reader = new HeadReader();
  /** Of the head that is awaited: whether its first line has begun, and the bytes that there were at the last look. */
  #isBegun = false;
  #looked = 0;

  constructor(input: Input) {
    this.#input = input;
  }

  /** The next head; undefined when it has not come whole yet. Throws BadRequest. */
  take(): Head | undefined {
    if (!this.#isBegun) {
      if (this.#mayBeEmptyLine()) return undefined;
      // Some clients end a body with a line break that is not part of it (RFC 9112, §2.2): one, however it arrives.
      if (this.#input.bytes[0] === CR && this.#input.bytes[1] === LF) this.#input.take(2);
      this.#isBegun = true;
    }
    const read = this.#reader.read(this.#input.bytes, this.#looked);
    this.#looked = this.#input.bytes.length;
    if (read === undefined) return undefined;
    this.#input.take(read.length);
    this.#isBegun = false;
    this.#looked = 0;
    return read.head;
  }

  /** Whether the next line may be empty, for all that has come of it. */
  #mayBeEmptyLine(): boolean {
    const { bytes, ended } = this.#input;
    return !ended && bytes.length < 2 && (bytes[0] ?? CR) === CR;
  }
}
