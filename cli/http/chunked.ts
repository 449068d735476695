import { BadRequest } from "./head.ts";

/** Of a line with a chunk's size, its extensions included, and of all trailers together. */
const MAX_LINE = 256;
const MAX_TRAILERS = 8 * 1024;
/** Eight hexadecimal digits: no chunk of 4 GiB. */
const SIZE_LINE = /^([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;
const TRAILER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;
const LF = 0x0a;
const CR = 0x0d;

/** What {@link Chunks.take} found at the start of the bytes. */
export interface Taken {
  /** Bytes of the body; may be none. */
  readonly data: Buffer | undefined;
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

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Takes what stands at the start of `bytes`. Throws BadRequest for what is not the coding. */
  take(bytes: Buffer): Taken {
    switch (this.#state) {
      case "size":
        return this.#size(bytes);
      case "data":
        return this.#data(bytes);
      case "end of data":
        return this.#endOfData(bytes);
      case "trailers":
        return this.#trailer(bytes);
      case "done":
      default:
        return NOTHING;
    }
  }

  #size(bytes: Buffer): Taken {
    const line = lineOf(bytes, MAX_LINE);
    if (line === undefined) return NOTHING;
    const [, digits] = SIZE_LINE.exec(line) ?? [];
    if (digits === undefined) throw new BadRequest("malformed chunk size");
    this.#left = Number.parseInt(digits, 16);
    this.#state = this.#left === 0 ? "trailers" : "data";
    return { data: undefined, used: line.length + 2 };
  }

  #data(bytes: Buffer): Taken {
    const data = bytes.subarray(0, this.#left);
    this.#left -= data.length;
    if (this.#left === 0) this.#state = "end of data";
    return { data, used: data.length };
  }

  #endOfData(bytes: Buffer): Taken {
    if (bytes.length > 0 && bytes[0] !== CR) throw new BadRequest("a chunk is longer than its size");
    if (bytes.length < 2) return NOTHING;
    if (bytes[1] !== LF) throw new BadRequest("a chunk is longer than its size");
    this.#state = "size";
    return { data: undefined, used: 2 };
  }

  #trailer(bytes: Buffer): Taken {
    const line = lineOf(bytes, MAX_TRAILERS - this.#trailers);
    if (line === undefined) return NOTHING;
    if (line === "") this.#state = "done";
    else if (!TRAILER.test(line)) throw new BadRequest("malformed trailer");
    this.#trailers += line.length + 2;
    return { data: undefined, used: line.length + 2 };
  }
}

const NOTHING: Taken = { data: undefined, used: 0 };

/** The line that `bytes` begin with, without its CRLF; undefined when its end has not come yet. */
function lineOf(bytes: Buffer, limit: number): string | undefined {
  const end = bytes.indexOf(LF);
  if ((end === -1 ? bytes.length : end) > limit) throw new BadRequest("a line in the body is too long");
  if (end === -1) return undefined;
  if (bytes[end - 1] !== CR) throw new BadRequest("a line ends in a bare LF");
  return bytes.toString("latin1", 0, end - 1);
}
