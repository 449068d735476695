/**
 * One pass over the bytes of a request body before anything is built from them: a scanner of JSON's grammar (RFC 8259)
 * that knows the limits, finds the end of the first value and words its errors as Go's encoding/json does, which is what
 * clients of Vault see. It never recurses, and allocates for unusual numbers and lone surrogates only.
 */
import { END, malformed, tooComplex, unexpected } from "./json-error.ts";

/** Strings in a body, object keys and values together; Vault's limit. Each is hashed for each audit device. */
export const MAX_STRINGS = 1000;
/** Levels of arrays and objects in each other. */
const MAX_DEPTH = 500;
/** Bytes that the parsed body may take, by the estimate of {@link COST}: Vault's limit for bodies of 32 MiB. */
const MAX_MEMORY = 32 * 1024 * 1024 + 512 * 1024;
/** Estimated bytes of a parsed value, as Vault counts them; a string costs its bytes besides, a number kept as text more. */
const COST = { constant: 17, number: 24, rawNumber: 280, string: 32, array: 40, object: 88 } as const;
/** Integers of so many digits or fewer are exact in a double (2^53 has 16), and print as they were written. */
const EXACT_DIGITS = 15;
/** Bytes of a field's name that an error quotes. */
const MAX_NAME = 100;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
export const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const LITERALS: ReadonlyMap<number, string> = new Map(
  ["true", "false", "null"].map((word) => [word.charCodeAt(0), word]),
);
const ESCAPES: ReadonlySet<number> = new Set(Array.from('"\\/bfnrt', (character) => character.charCodeAt(0)));

/** `fffd`. */
const REPLACEMENT = Uint8Array.of(0x66, 0x66, 0x66, 0x64);

const decoder = new TextDecoder();

/** What the scanner learned about the first value of a body. */
export interface Scan {
  /** The body, with `\ufffd` in the place of escapes of lone surrogates, which storage and UTF-8 cannot hold. */
  readonly bytes: Uint8Array;
  /** Where the value begins and ends, in bytes. */
  readonly start: number;
  readonly end: number;
  /** Some number's text would not survive a double (`1.0`, `1E5`, `-0`, 23 digits). */
  readonly unusualNumber: boolean;
  /** No byte is above 0x7f. */
  readonly isAscii: boolean;
}

/**
 * Checks a whole body: one JSON value, after which others are allowed (Vault ignores them) but no other text. Undefined
 * when there is nothing but white space. Throws InvalidInput with Vault's text; of the body it holds at most the
 * one character that was not expected.
 */
export function scanJson(bytes: Uint8Array): Scan | undefined {
  const scanner = new Scanner(bytes);
  if (scanner.next() === END) return undefined;
  const start = scanner.at;
  scanner.value();
  const { at: end, unusualNumber } = scanner;
  const isAscii = scanner.bits <= 0x7f;
  while (scanner.next() !== END) scanner.value();
  return { bytes: scanner.bytes, start, end, unusualNumber, isAscii };
}

/** For each open level whether it is an object (1) or an array (0). One for all: a scan does not stop on its way. */
const levels = new Uint8Array(MAX_DEPTH);

class Scanner {
  at = 0;
  unusualNumber = false;
  /** Those of every byte of a string that is no escape, together. Outside of strings all are ASCII. */
  bits = 0;
  private strings = 0;
  private memory = 0;
  private depth = 0;
  bytes: Uint8Array;
  private isCopy = false;
  /** Where the name of the field of the outermost object stands, with its quotes, in which the scanner is. */
  private field: readonly [start: number, end: number] = [0, 0];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Goes to the next byte that is not white space and gives it, or {@link END}; does not step over it. */
  next(): number {
    for (;;) {
      const byte = this.peek();
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.at += 1;
    }
  }

  /** Steps over one whole value, of any depth. */
  value(): void {
    do {
      const byte = this.next();
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (this.open(byte === OPEN_OBJECT)) continue;
      } else this.scalar(byte);
      this.close();
    } while (this.depth > 0);
  }

  /** Enters an array or object; true when a value must follow, false when it was empty. */
  private open(isObject: boolean): boolean {
    if (this.depth === MAX_DEPTH) throw tooComplex("exceeded maximum depth");
    levels[this.depth] = isObject ? 1 : 0;
    this.depth += 1;
    this.charge(isObject ? COST.object : COST.array);
    this.at += 1;
    if (this.next() === (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
      this.depth -= 1;
      this.at += 1;
      return false;
    }
    if (isObject) this.key();
    return true;
  }

  /** After a value: leaves the levels that end here, then steps to the next value, if any level is still open. */
  private close(): void {
    while (this.depth > 0) {
      const isObject = levels[this.depth - 1] === 1;
      const byte = this.next();
      if (byte === COMMA) {
        this.at += 1;
        if (isObject) this.key();
        return;
      }
      if (byte !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        throw unexpected(byte, isObject ? "after object key:value pair" : "after array element");
      }
      this.depth -= 1;
      this.at += 1;
    }
  }

  private key(): void {
    const byte = this.next();
    if (byte !== QUOTE) throw unexpected(byte, "looking for beginning of object key string");
    const start = this.at;
    this.string();
    if (this.depth === 1) this.field = [start, this.at];
    const colon = this.next();
    if (colon !== COLON) throw unexpected(colon, "after object key");
    this.at += 1;
  }

  private scalar(byte: number): void {
    if (byte === QUOTE) return this.string();
    if (byte === MINUS || isDigit(byte)) return this.number();
    const word = LITERALS.get(byte);
    if (word === undefined) throw unexpected(byte, "looking for beginning of value");
    for (const letter of word) {
      if (this.peek() !== letter.charCodeAt(0)) {
        throw unexpected(this.peek(), `in literal ${word} (expecting '${letter}')`);
      }
      this.at += 1;
    }
    this.charge(COST.constant);
  }

  private string(): void {
    const { bytes } = this;
    const start = this.at;
    let at = start + 1;
    let bits = 0;
    for (;;) {
      const byte = bytes[at] ?? END;
      if (byte === QUOTE) break;
      bits |= byte;
      if (byte < 0x20) throw unexpected(byte, "in string literal");
      at = byte === BACKSLASH ? this.escape(at + 1) : at + 1;
    }
    this.at = at + 1;
    this.bits |= bits;
    this.charge(COST.string + at - start - 1);
    this.strings += 1;
    if (this.strings > MAX_STRINGS) throw tooComplex("exceeded maximum number of strings");
  }

  /** Checks the escape whose backslash is before `at`, or a pair of surrogates, and gives the place behind it. */
  private escape(at: number): number {
    const byte = this.bytes[at] ?? END;
    if (ESCAPES.has(byte)) return at + 1;
    if (byte !== 0x75) throw unexpected(byte, "in string escape code");
    this.hexDigits(at + 1);
    const kind = this.surrogate(at);
    if (kind === "none") return at + 5;
    if (kind === "high" && this.bytes[at + 5] === BACKSLASH && this.surrogate(at + 6) === "low") {
      this.hexDigits(at + 7);
      return at + 11;
    }
    this.replace(at + 1);
    return at + 5;
  }

  private hexDigits(at: number): void {
    for (let i = 0; i < 4; i += 1) {
      const digit = this.bytes[at + i] ?? END;
      if (!isHexDigit(digit)) throw unexpected(digit, "in \\u hexadecimal character escape");
    }
  }

  /** Which half of a pair `\ud800` to `\udfff` stands for, whose `u` is at `at`. */
  private surrogate(at: number): "high" | "low" | "none" {
    const { bytes } = this;
    // Bit 0x20 is the case of a letter; 8 and 9 are below A.
    if (bytes[at] !== 0x75 || ((bytes[at + 1] ?? END) | 0x20) !== 0x64) return "none";
    const second = (bytes[at + 2] ?? END) | 0x20;
    if (second < 0x38) return "none";
    return second <= 0x62 ? "high" : "low";
  }

  /** Makes U+FFFD of the four digits at `at`. */
  private replace(at: number): void {
    if (!this.isCopy) this.bytes = new Uint8Array(this.bytes);
    this.isCopy = true;
    this.bytes.set(REPLACEMENT, at);
  }

  private number(): void {
    const start = this.at;
    const isNegative = this.peek() === MINUS;
    if (isNegative) this.at += 1;
    const first = this.at;
    if (this.peek() === 0x30) this.at += 1;
    else this.digits("in numeric literal");
    const digits = this.at - first;
    let isPlain = digits <= EXACT_DIGITS && !(isNegative && this.bytes[first] === 0x30);
    if (this.peek() === DOT) {
      isPlain = false;
      this.at += 1;
      this.digits("after decimal point in numeric literal");
    }
    if ((this.peek() | 0x20) === 0x65) {
      isPlain = false;
      this.at += 1;
      if (this.peek() === 0x2b || this.peek() === MINUS) this.at += 1;
      this.digits("in exponent of numeric literal");
    }
    this.charge(isPlain ? COST.number : COST.rawNumber);
    if (!isPlain) this.judge(decoder.decode(this.bytes.subarray(start, this.at)));
  }

  /** Refuses a number that no double can hold, even nearly, and notes one that a double would print otherwise. */
  private judge(text: string): void {
    const double = Number(text);
    if (!Number.isFinite(double))
      throw malformed(`json: cannot unmarshal number into Go value of type float64${this.inField()}`);
    if (String(double) !== text) this.unusualNumber = true;
  }

  /** Names the field for an error; nothing outside of an object. */
  private inField(): string {
    const [start, end] = this.field;
    if (end === 0 || levels[0] !== 1) return "";
    return `: in field ${decoder.decode(this.bytes.subarray(start, Math.min(end, start + MAX_NAME)))}`;
  }

  /** Steps over at least one digit; `context` is for the error when there is none. */
  private digits(context: string): void {
    if (!isDigit(this.peek())) throw unexpected(this.peek(), context);
    do this.at += 1;
    while (isDigit(this.peek()));
  }

  private charge(cost: number): void {
    this.memory += cost;
    if (this.memory > MAX_MEMORY) throw tooComplex("exceeded maximum estimated memory limits");
  }

  private peek(): number {
    return this.bytes[this.at] ?? END;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}
