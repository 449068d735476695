import type { Answer } from "../../core/http/answer.ts";
import { LARGE_ANSWER } from "../../core/http/answer-budget.ts";

/** The phrases of RFC 9110 for the statuses that the app and the listener have; of others it may be empty. */
const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** How a response is framed. */
export interface Framing {
  readonly keepAlive: boolean;
  /** HTTP/1.0, which keeps a connection only if the answer says so. */
  readonly isOld: boolean;
  /** Of HEAD: the answer has no body. */
  readonly isHead: boolean;
}

/** A text to be sent as UTF-8, and how many bytes that are: to count them would have it copied once more. */
export interface Encoded {
  readonly text: string;
  readonly bytes: number;
}

/** An answer as it is sent (RFC 9112). Header names and values are the app's own: nothing of a client is in them. */
export function encodeAnswer(
  { status, headers, body, isAscii }: Answer,
  { keepAlive, isOld, isHead }: Framing,
): Encoded {
  const content = isHead || body === undefined ? "" : body;
  const length = isAscii === true ? content.length : Buffer.byteLength(content);
  const start = `HTTP/1.1 ${status} ${PHRASES[status] ?? ""}\r\n`;
  const lines = linesOf(headers);
  let rest = `date: ${httpDate()}\r\n`;
  // 204 and 304 have no body, and say so by having no length (RFC 9110, §8.6); of HEAD none is known.
  if (status !== 204 && status !== 304 && !isHead) rest += `content-length: ${length}\r\n`;
  if (!keepAlive) rest += "connection: close\r\n";
  else if (isOld) rest += "connection: keep-alive\r\n";
  rest += "\r\n";
  return { text: `${start}${lines.text}${rest}${content}`, bytes: start.length + lines.bytes + rest.length + length };
}

/** Whether it counts in the budget of answers, and goes out at once. */
export function isLarge({ bytes }: Encoded): boolean {
  return bytes >= LARGE_ANSWER;
}

/** An answer to what could not be read: no body, and the connection ends. */
export function encodeRefusal(status: number): Encoded {
  return encodeAnswer({ status, headers: {}, body: undefined }, { keepAlive: false, isOld: false, isHead: false });
}

const CONTINUE_TEXT = "HTTP/1.1 100 Continue\r\n\r\n";
export const CONTINUE: Encoded = { text: CONTINUE_TEXT, bytes: CONTINUE_TEXT.length };

/** Of headers that were written before, their lines. */
const written = new WeakMap<Answer["headers"], Encoded>();

function linesOf(headers: Answer["headers"]): Encoded {
  let lines = written.get(headers);
  if (lines !== undefined) return lines;
  const text = Object.entries(headers).reduce((all, [name, value]) => `${all}${name}: ${value}\r\n`, "");
  lines = { text, bytes: Buffer.byteLength(text) };
  written.set(headers, lines);
  return lines;
}

let date = "";
let dateSecond = 0;

/** Made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = new Date(second * 1000).toUTCString();
  }
  return date;
}
