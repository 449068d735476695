import { BadRequest } from "./head.ts";

/** Bytes of a line with a chunk's size, its extensions included, and of all trailers together. */
const MAX_LINE = 256;
const MAX_TRAILERS = 8 * 1024;
/**
 * Bytes of size lines and line breaks: these, and a quarter of the data. Some clients put each token of their JSON into a
 * chunk; but a chunk of a byte keeps the server busy for as long as one of a thousand.
 */
const MAX_FRAMING = 1024 * 1024;
/** Eight hexadecimal digits: no chunk of 4 GiB. */
const SIZE_LINE = /^([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;
const TRAILER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;
const LF = 0x0a;
const CR = 0x0d;

/** Fields that say where a message ends, or where it goes: behind the body they come too late (RFC 9110, §6.5.1). */
const FORBIDDEN = /^(?:content-length|transfer-encoding|host|trailer|te|connection|authorization|x-vault-.*):/i;

/** What {@link Chunks.take} found at the start of the bytes. */
export interface Taken {
  /** Bytes of the body; may be none. */
  readonly data: Buffer;
  /** How many bytes were used up; 0: more are needed. */
  readonly used: number;
}

/**
 * The chunked coding (RFC 9112, §7.1), as strict as the head: CRLF and nothing else, sizes in plain hexadecimal, limits on
 * extensions and trailers, which are dropped.
 */
export class Chunks {
  #state: "size" | "data" | "end of data" | "trailers" | "done" = "size";
  #left = 0;
  #trailers = 0;
  /** Bytes of data that were announced. */
  #data = 0;
  /** Bytes of size lines and line breaks. */
  #framing = 0;

  /** Bytes of size lines and line breaks so far, which are what its work is about. */
  get framing(): number {
    return this.#framing;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Takes as much as can be told of what stands at the start of `bytes`, the data of all chunks in one piece: many small
   * ones would take far more memory than their bytes. Throws BadRequest for what is not the coding.
   */
  take(bytes: Buffer): Taken {
    const data = Buffer.allocUnsafe(bytes.length);
    let [length, used] = [0, 0];
    while (this.#state !== "done") {
      const isData = this.#state === "data";
      const step = this.#step(bytes, used);
      if (step === 0) break;
      if (isData) length += bytes.copy(data, length, used, used + step);
      used += step;
    }
    return { data: data.subarray(0, length), used };
  }

  /** How many bytes from `at` on it has understood; 0: more are needed. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "size":
        return this.#size(bytes, at);
      case "data":
        return this.#some(bytes.length - at);
      case "end of data":
        return this.#endOfData(bytes, at);
      case "trailers":
        return this.#trailer(bytes, at);
      case "done":
      default:
        return 0;
    }
  }

  #size(bytes: Buffer, at: number): number {
    const line = lineOf(bytes, at, MAX_LINE);
    if (line === undefined) return 0;
    const [, digits] = SIZE_LINE.exec(line) ?? [];
    if (digits === undefined) throw new BadRequest("malformed chunk size");
    this.#left = Number.parseInt(digits, 16);
    // With its line break and that of its data.
    this.#framing += line.length + 4;
    if (this.#framing > MAX_FRAMING + this.#data / 4) throw new BadRequest("the chunks are too small");
    this.#data += this.#left;
    this.#state = this.#left === 0 ? "trailers" : "data";
    return line.length + 2;
  }

  #some(available: number): number {
    const used = Math.min(available, this.#left);
    this.#left -= used;
    if (this.#left === 0) this.#state = "end of data";
    return used;
  }

  #endOfData(bytes: Buffer, at: number): number {
    const [first = CR, second = LF] = [bytes[at], bytes[at + 1]];
    if (first !== CR || second !== LF) throw new BadRequest("a chunk is longer than its size");
    if (bytes.length < at + 2) return 0;
    this.#state = "size";
    return 2;
  }

  #trailer(bytes: Buffer, at: number): number {
    const line = lineOf(bytes, at, MAX_TRAILERS - this.#trailers);
    if (line === undefined) return 0;
    if (line === "") this.#state = "done";
    else if (!TRAILER.test(line) || FORBIDDEN.test(line)) throw new BadRequest("malformed trailer");
    this.#trailers += line.length + 2;
    return line.length + 2;
  }
}

/** The line that begins at `from`, without its CRLF; undefined when its end has not come yet. */
function lineOf(bytes: Buffer, from: number, limit: number): string | undefined {
  const end = bytes.indexOf(LF, from);
  if ((end === -1 ? bytes.length : end) - from > limit) throw new BadRequest("a line in the body is too long");
  if (end === -1) return undefined;
  if (end === from || bytes[end - 1] !== CR) throw new BadRequest("a line ends in a bare LF");
  return bytes.toString("latin1", from, end - 1);
}
