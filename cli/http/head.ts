/**
 * The head of a request (RFC 9112), read strictly: what two parsers could understand differently is refused, because a
 * proxy in front may be the other one. No bare LF, no folded header, no white space before a colon, one length at most,
 * `chunked` as the only coding.
 */
import type { HeaderValues } from "../../core/http/incoming.ts";

/** Bytes of a head, from the request line to the empty line. */
export const MAX_HEAD = 64 * 1024;
const MAX_HEADERS = 100;
/** Bytes of headers that are kept for the next request of the connection. */
const MAX_KEPT = 2048;
const END = "\r\n\r\n";
/** The digits of 2^53 - 1. */
const MAX_LENGTH_DIGITS = 16;

/** Of nearly every target: visible ASCII but for `#`. */
const PLAIN_TARGET = /^\/[!"$-~]*$/;
const CURRENT = " HTTP/1.1";
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/**
 * Visible characters, also beyond ASCII, which curl sends as they are typed; no `#`, behind which some parsers look no
 * further.
 */
const TARGET = /^[!"$-~\u{a0}-\u{10ffff}]+$/u;
const ABSOLUTE = /^https?:\/\/([^/?]+)/i;
/** Visible characters, blanks, and bytes beyond ASCII. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const HOST = /^(?:[0-9A-Za-z._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

const LF = 0x0a;
const CR = 0x0d;

export interface Head {
  readonly method: string;
  /** Path and query as they were sent; of an absolute target without scheme and authority. `*` of OPTIONS. */
  readonly target: string;
  readonly headers: HeaderFields;
  /** Bytes, or that they come in chunks. */
  readonly body: number | "chunked";
  /** Whether the client will send another request on this connection. */
  readonly keepAlive: boolean;
  /** HTTP/1.0: knows no chunks, and keeps the connection only if it is told so. */
  readonly isOld: boolean;
  /** `Expect: 100-continue`: the body comes when it is asked for. */
  readonly expectsContinue: boolean;
}

/** The headers of one request. */
export class HeaderFields implements HeaderValues {
  readonly #values = new Map<string, string>();

  get(name: string): string | null {
    return this.#values.get(name) ?? null;
  }

  /** `name` in lower case. Of one that was there the values are joined (RFC 9110, §5.3). */
  add(name: string, value: string): void {
    const before = this.#values.get(name);
    this.#values.set(name, before === undefined ? value : `${before}, ${value}`);
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values.entries();
  }
}

/** A request that is not read any further: its connection is closed after the answer. The message has nothing of it. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/**
 * Where the head that begins at 0 ends: the index behind its empty line; undefined when that has not come yet. `from`:
 * where to go on looking, the length at the last look. Throws BadRequest for a line that does not end in CRLF and for a
 * head of more than {@link MAX_HEAD} bytes.
 */
function findHeadEnd(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(LF, from); at !== -1 && at < MAX_HEAD; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at - 1] !== CR) throw new BadRequest("a line ends in a bare LF");
    if (bytes[at - 2] === LF) return at + 1;
  }
  if (bytes.length >= MAX_HEAD) throw new BadRequest("the request head is too long");
  return undefined;
}

/** What the lines below the request line say. */
type Fields = Omit<Head, "method" | "target" | "isOld">;

/**
 * Reads the heads of one connection. Clients send the same headers again and again: those that are byte for byte the ones
 * of the request before are not read a second time.
 */
export class HeadReader {
  #before: { readonly bytes: Buffer; readonly isOld: boolean; readonly fields: Fields } | undefined;

  /**
   * The head that `bytes` begin with, and how many of them it has; undefined when it has not come whole yet. `looked`: how
   * many there were at the last look. Throws BadRequest.
   */
  read(bytes: Buffer, looked: number): { readonly head: Head; readonly length: number } | undefined {
    // A CR alone is part of the line, which it spoils.
    const line = bytes.indexOf(LF) - 1;
    const known = this.#before !== undefined && isAt(bytes, line, this.#before.bytes) ? this.#before : undefined;
    const length = known === undefined ? findHeadEnd(bytes, looked) : line + known.bytes.length;
    if (length === undefined) return undefined;
    const { method, target, isOld } = parseRequestLine(bytes.toString("latin1", 0, line));
    const fields = known?.isOld === isOld ? known.fields : this.#parse(bytes.subarray(line, length), isOld);
    // Not by spreading, which takes longer than to read the request line.
    const { headers, body, keepAlive, expectsContinue } = fields;
    return { head: { method, target, isOld, headers, body, keepAlive, expectsContinue }, length };
  }

  /** `bytes`: from the break behind the request line to the empty line. */
  #parse(bytes: Buffer, isOld: boolean): Fields {
    const fields = parseFields(bytes.toString("latin1", 0, bytes.length - END.length), isOld);
    // A copy: a slice would keep all that came with it.
    this.#before = bytes.length <= MAX_KEPT ? { bytes: Buffer.from(bytes), isOld, fields } : undefined;
    return fields;
  }
}

/** Whether `part` stands at `start`, which is negative where there is no such place, within what a head may have. */
function isAt(bytes: Buffer, start: number, part: Buffer): boolean {
  const end = start + part.length;
  return start >= 0 && end <= Math.min(bytes.length, MAX_HEAD) && part.compare(bytes, start, end) === 0;
}

/** `text`: for each line its break before it. */
function parseFields(text: string, isOld: boolean): Fields {
  const [, ...lines] = text.split("\r\n");
  if (lines.length > MAX_HEADERS) throw new BadRequest("too many headers");
  const headers = new HeaderFields();
  for (const line of lines) {
    const { name, value } = parseHeader(line);
    if (SINGLE.has(name) && headers.get(name) !== null) throw new BadRequest(`more than one ${name} header`);
    headers.add(name, value);
  }
  checkHost(headers.get("host"), isOld);
  return {
    headers,
    body: bodyOf(headers.get("content-length"), headers.get("transfer-encoding"), isOld),
    keepAlive: keepsAlive(headers.get("connection"), isOld),
    expectsContinue: !isOld && expects(headers.get("expect")),
  };
}

/** Headers that two of would be understood differently. */
const SINGLE: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "x-vault-token",
  "authorization",
]);

function parseRequestLine(line: string): { method: string; target: string; isOld: boolean } {
  return parseUsualLine(line) ?? parseAnyLine(line);
}

/** Of HTTP/1.1, a path of ASCII; undefined for any other. */
function parseUsualLine(line: string): { method: string; target: string; isOld: boolean } | undefined {
  if (!line.endsWith(CURRENT)) return undefined;
  const space = line.indexOf(" ");
  const method = line.slice(0, space);
  const target = line.slice(space + 1, -CURRENT.length);
  return TOKEN.test(method) && PLAIN_TARGET.test(target) ? { method, target, isOld: false } : undefined;
}

function parseAnyLine(line: string): { method: string; target: string; isOld: boolean } {
  const [method = "", target = "", version = "", ...more] = line.split(" ");
  const decoded = decodeUtf8(target);
  if (more.length > 0 || !TOKEN.test(method) || decoded === undefined || !TARGET.test(decoded))
    throw new BadRequest("malformed request line");
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    if (/^HTTP\/\d\.\d$/.test(version)) throw new BadRequest("this server speaks HTTP/1.1", 505);
    throw new BadRequest("malformed request line");
  }
  return { method, target: originForm(method, decoded), isOld: version === "HTTP/1.0" };
}

/** Of bytes, one a character; undefined when they are not UTF-8, which would be read as one and the same character. */
function decodeUtf8(bytes: string): string | undefined {
  if (/^[\0-\x7f]*$/.test(bytes)) return bytes;
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return undefined;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** RFC 9112, §3.2. */
function originForm(method: string, target: string): string {
  if (target.startsWith("/") || (target === "*" && method === "OPTIONS")) return target;
  const [start, authority] = ABSOLUTE.exec(target) ?? [];
  if (start === undefined || authority === undefined || !HOST.test(authority))
    throw new BadRequest("the request target is no path");
  const rest = target.slice(start.length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function parseHeader(line: string): { name: string; value: string } {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
  // A folded line begins with a blank, which no name does.
  if (!TOKEN.test(name)) throw new BadRequest("malformed header");
  const value = trim(line, colon + 1);
  if (!VALUE.test(value)) throw new BadRequest("a header holds a control character");
  return { name, value };
}

/** Without the blanks (RFC 9110, §5.6.3) around it. Not `trim()`, which knows more of them. */
function trim(line: string, from: number): string {
  let [start, end] = [from, line.length];
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function checkHost(host: string | null, isOld: boolean): void {
  if (host === null) {
    if (!isOld) throw new BadRequest("missing host header");
  } else if (!HOST.test(host)) throw new BadRequest("malformed host header");
}

function bodyOf(length: string | null, coding: string | null, isOld: boolean): number | "chunked" {
  if (coding !== null) {
    if (length !== null) throw new BadRequest("both a length and a transfer coding");
    if (isOld) throw new BadRequest("HTTP/1.0 has no transfer codings");
    if (coding.toLowerCase() !== "chunked") throw new BadRequest("unsupported transfer coding", 501);
    return "chunked";
  }
  if (length === null) return 0;
  if (!/^\d+$/.test(length) || length.length > MAX_LENGTH_DIGITS) throw new BadRequest("malformed content-length");
  const bytes = Number(length);
  if (!Number.isSafeInteger(bytes)) throw new BadRequest("malformed content-length");
  return bytes;
}

function keepsAlive(connection: string | null, isOld: boolean): boolean {
  if (connection === null) return !isOld;
  const options = connection
    .toLowerCase()
    .split(",")
    .map((option) => option.trim());
  return !options.includes("close") && (!isOld || options.includes("keep-alive"));
}

function expects(expect: string | null): boolean {
  if (expect === null) return false;
  if (expect.toLowerCase() !== "100-continue") throw new BadRequest("unknown expectation", 417);
  return true;
}
