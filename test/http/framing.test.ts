/**
 * What is refused, and that nothing behind it is taken for another request. Every row runs in one piece and byte by byte.
 */
import { describe, expect, test } from "bun:test";
import { converse, textAnswer } from "./conversation.ts";

/** Behind every request that is refused: what a smuggler would like to have answered. */
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

const POST = "POST /x HTTP/1.1\r\nHost: x\r\n";

type Row = readonly [name: string, status: number, request: string];

/** Of a POST with these lines. */
const framing: Row[] = (
  [
    ["both length and chunked", 400, "Content-Length: 5\r\nTransfer-Encoding: chunked"],
    ["both chunked and length", 400, "Transfer-Encoding: chunked\r\nContent-Length: 5"],
    ["both, of length 0", 400, "Content-Length: 0\r\nTransfer-Encoding: chunked"],
    ["two different lengths", 400, "Content-Length: 5\r\nContent-Length: 6"],
    ["two lengths that are the same", 400, "Content-Length: 5\r\nContent-Length: 5"],
    ["two lengths in one header", 400, "Content-Length: 5, 6"],
    ["two lengths in one header that are the same", 400, "Content-Length: 5, 5"],
    ["a length in another case twice", 400, "Content-Length: 5\r\ncontent-length: 5"],
    ["+5", 400, "Content-Length: +5"],
    ["-5", 400, "Content-Length: -5"],
    ["-0", 400, "Content-Length: -0"],
    ["0x5", 400, "Content-Length: 0x5"],
    ["5e0", 400, "Content-Length: 5e0"],
    ["5.0", 400, "Content-Length: 5.0"],
    ["5 5", 400, "Content-Length: 5 5"],
    ["5;", 400, "Content-Length: 5;"],
    ['"5"', 400, 'Content-Length: "5"'],
    ["5_0", 400, "Content-Length: 5_0"],
    ["no length", 400, "Content-Length:"],
    ["a length that is a blank", 400, "Content-Length: \t"],
    ["a length behind a vertical tab", 400, "Content-Length: \x0b5"],
    ["a length before a NUL", 400, "Content-Length: 5\0"],
    ["a length behind a no-break space", 400, "Content-Length: \xa05"],
    ["a length in superscript", 400, "Content-Length: \xb9"],
    ["a length beyond 2^53", 400, "Content-Length: 9007199254740993"],
    ["a length beyond 2^64", 400, "Content-Length: 18446744073709551621"],
    ["a length of 100 digits", 400, `Content-Length: ${"0".repeat(99)}5`],
    ["an unknown coding", 501, "Transfer-Encoding: gzip"],
    ["xchunked", 501, "Transfer-Encoding: xchunked"],
    ["chunkedx", 501, "Transfer-Encoding: chunkedx"],
    ["chunk", 501, "Transfer-Encoding: chunk"],
    ["chunked twice in one header", 501, "Transfer-Encoding: chunked, chunked"],
    ["chunked in two headers", 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
    ["chunked and identity in two headers", 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"],
    ["gzip, chunked", 501, "Transfer-Encoding: gzip, chunked"],
    ["chunked, gzip", 501, "Transfer-Encoding: chunked, gzip"],
    ["chunked, identity", 501, "Transfer-Encoding: chunked, identity"],
    ["identity", 501, "Transfer-Encoding: identity"],
    [", chunked", 501, "Transfer-Encoding: , chunked"],
    ["chunked,", 501, "Transfer-Encoding: chunked,"],
    ["chunked;q=1", 501, "Transfer-Encoding: chunked;q=1"],
    ['"chunked"', 501, 'Transfer-Encoding: "chunked"'],
    ["an empty coding", 501, "Transfer-Encoding:"],
    ["a coding behind a vertical tab", 400, "Transfer-Encoding: \x0bchunked"],
    ["a coding before a form feed", 400, "Transfer-Encoding: chunked\x0c"],
    ["a coding before a NUL", 400, "Transfer-Encoding: chunked\0"],
    ["a coding before a CR", 400, "Transfer-Encoding: chunked\r"],
    ["a coding behind a no-break space", 501, "Transfer-Encoding: \xa0chunked"],
    ["a coding with a Kelvin sign", 501, "Transfer-Encoding: chun\xe2\x84\xaaed"],
    ["a folded coding", 400, "Transfer-Encoding:\r\n chunked"],
    ["a folded header before the coding", 400, "X: y\r\n z\r\nTransfer-Encoding: chunked"],
    ["a first header that is folded", 400, " X: y\r\nTransfer-Encoding: chunked"],
    ["a coding behind a blank", 400, " Transfer-Encoding: chunked"],
    ["a coding behind a tab", 400, "\tTransfer-Encoding: chunked"],
    ["a coding whose colon follows a blank", 400, "Transfer-Encoding : chunked"],
    ["a coding whose colon follows a tab", 400, "Transfer-Encoding\t: chunked"],
    ["a length whose colon follows a blank", 400, "Content-Length : 5"],
    ["a name that ends in NUL", 400, "Transfer-Encoding\0: chunked"],
    ["a name with a byte beyond ASCII", 400, "Content-Length\xad: 5"],
    ["an empty name", 400, ": 5"],
    ["a line without a colon", 400, "Content-Length"],
    ["a name in brackets", 400, "(x): y"],
    ["a value with a bare CR", 400, "X: y\rTransfer-Encoding: chunked"],
    ["a value with a bare LF", 400, "X: y\nTransfer-Encoding: chunked"],
    ["a value with a NUL", 400, "X: y\0z"],
    ["a value with a DEL", 400, "X: y\x7f"],
    ["a value with an escape", 400, "X: \x1b[2J"],
    ["a CR before the end of a line", 400, "X: y\r"],
    ["an unknown expectation", 417, "Expect: 200-ok"],
    ["two expectations", 417, "Expect: 100-continue\r\nExpect: 100-continue"],
    ["101 headers", 400, "X: y\r\n".repeat(100).trimEnd()],
    ["a head that is too long", 400, `X: ${"y".repeat(64 * 1024)}`],
    ["two hosts", 400, "Host: x"],
    ["two tokens", 400, "X-Vault-Token: a\r\nX-Vault-Token: a"],
    ["two authorizations", 400, "Authorization: a\r\nAuthorization: b"],
  ] as const
).map(([name, status, lines]) => [name, status, `${POST}${lines}\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`]);

const heads: Row[] = [
  ["a line that ends in LF", 400, "GET /x HTTP/1.1\nHost: x\r\n\r\n"],
  ["a head that ends in LF", 400, "GET /x HTTP/1.1\r\nHost: x\r\n\n"],
  ["nothing but LF", 400, "GET /x HTTP/1.1\nHost: x\n\n"],
  ["LF first", 400, "\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["CR alone as the end of lines", 400, "GET /x HTTP/1.1\rHost: x\r\r\n\r\n"],
  ["two empty lines first", 400, "\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a blank first", 400, " GET /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a NUL first", 400, "\0GET /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a BOM first", 400, "\xef\xbb\xbfGET /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["tabs in the request line", 400, "GET\t/x\tHTTP/1.1\r\nHost: x\r\n\r\n"],
  ["two blanks before the target", 400, "GET  /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["two blanks behind the target", 400, "GET /x  HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a blank behind the version", 400, "GET /x HTTP/1.1 \r\nHost: x\r\n\r\n"],
  ["a blank in the target", 400, "GET /x y HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["no version", 400, "GET /x\r\nHost: x\r\n\r\n"],
  ["no target", 400, "GET HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["no verb", 400, "/x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["an empty verb", 400, " /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a verb that is no token", 400, "GE(T /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a verb beyond ASCII", 400, "G\xc9T /x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a version in lower case", 400, "GET /x http/1.1\r\nHost: x\r\n\r\n"],
  ["a version with a blank", 400, "GET /x HTTP /1.1\r\nHost: x\r\n\r\n"],
  ["HTTP/1.2", 505, "GET /x HTTP/1.2\r\nHost: x\r\n\r\n"],
  ["HTTP/0.9", 505, "GET /x HTTP/0.9\r\nHost: x\r\n\r\n"],
  ["HTTP/2.0", 505, "GET /x HTTP/2.0\r\nHost: x\r\n\r\n"],
  ["HTTP/1.10", 400, "GET /x HTTP/1.10\r\nHost: x\r\n\r\n"],
  ["HTTP/11", 400, "GET /x HTTP/11\r\nHost: x\r\n\r\n"],
  ["HTTP/1,1", 400, "GET /x HTTP/1,1\r\nHost: x\r\n\r\n"],
  ["the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["the beginning of TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
  ["no host", 400, "GET /x HTTP/1.1\r\n\r\n"],
  ["two hosts", 400, "GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"],
  ["a host with a path", 400, "GET /x HTTP/1.1\r\nHost: x/y\r\n\r\n"],
  ["a host with a blank", 400, "GET /x HTTP/1.1\r\nHost: x y\r\n\r\n"],
  ["two hosts in one header", 400, "GET /x HTTP/1.1\r\nHost: x, y\r\n\r\n"],
  ["a host with a user", 400, "GET /x HTTP/1.1\r\nHost: u@x\r\n\r\n"],
  ["a host with a port that is none", 400, "GET /x HTTP/1.1\r\nHost: x:80a\r\n\r\n"],
  ["a host beyond ASCII", 400, "GET /x HTTP/1.1\r\nHost: \xe9\r\n\r\n"],
  ["a host that a control character ends", 400, "GET /x HTTP/1.1\r\nHost: x\x01\r\n\r\n"],
  ["a target without a slash", 400, "GET x HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["an asterisk of another verb", 400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["an authority", 400, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["another scheme", 400, "GET ftp://x/y HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["an absolute target without authority", 400, "GET http:///y HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["an absolute target with a user", 400, "GET http://u:p@x/y HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["an absolute target with a backslash", 400, "GET http://x\\y/z HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a fragment", 400, "GET /x#y HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a control character in the target", 400, "GET /x\x01 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a NUL in the target", 400, "GET /x\0 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a DEL in the target", 400, "GET /x\x7f HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["C1 in the target", 400, "GET /x\xc2\x85 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["no UTF-8 in the target", 400, "GET /x\xff HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["half a character in the target", 400, "GET /x\xc3 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["an overlong slash in the target", 400, "GET /x\xc0\xaf HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a surrogate in the target", 400, "GET /x\xed\xa0\x80 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a target that is too long", 400, `GET /${"x".repeat(64 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["chunked of HTTP/1.0", 400, "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
];

/** Of a POST with this body in chunks. */
const chunks: Row[] = (
  [
    ["no size", "\r\nabc\r\n0\r\n\r\n"],
    ["a size that is no number", "g\r\nabc\r\n0\r\n\r\n"],
    ["0x3", "0x3\r\nabc\r\n0\r\n\r\n"],
    ["-1", "-1\r\nabc\r\n0\r\n\r\n"],
    ["+3", "+3\r\nabc\r\n0\r\n\r\n"],
    ["3.0", "3.0\r\nabc\r\n0\r\n\r\n"],
    ["3_0", "3_0\r\nabc\r\n0\r\n\r\n"],
    ["nine digits", "000000003\r\nabc\r\n0\r\n\r\n"],
    ["a size beyond 2^64", "10000000000000003\r\nabc\r\n0\r\n\r\n"],
    ["a blank before the size", " 3\r\nabc\r\n0\r\n\r\n"],
    ["a blank behind the size", "3 \r\nabc\r\n0\r\n\r\n"],
    ["a tab behind the size", "3\t\r\nabc\r\n0\r\n\r\n"],
    ["a bare LF behind the size", "3\nabc\r\n0\r\n\r\n"],
    ["a bare CR behind the size", "3\rabc\r\n0\r\n\r\n"],
    ["CR CR LF behind the size", "3\r\r\nabc\r\n0\r\n\r\n"],
    ["a NUL behind the size", "3\0\r\nabc\r\n0\r\n\r\n"],
    ["an extension with a bare LF", "3;x\ny\r\nabc\r\n0\r\n\r\n"],
    ["an extension with a bare CR", "3;x\ry\r\nabc\r\n0\r\n\r\n"],
    ["an extension with a line break in quotes", '3;x="\r\n"\r\nabc\r\n0\r\n\r\n'],
    ["an extension without a semicolon", "3 x\r\nabc\r\n0\r\n\r\n"],
    ["an extension that is too long", `3;${"x".repeat(300)}\r\nabc\r\n0\r\n\r\n`],
    ["a chunk that is longer than its size", "3\r\nabcd\r\n0\r\n\r\n"],
    ["a chunk that is shorter than its size", "5\r\nabc\r\n0\r\n\r\n"],
    ["a chunk that ends in LF", "3\r\nabc\n0\r\n\r\n"],
    ["a chunk that ends in CR", "3\r\nabc\r0\r\n\r\n"],
    ["a chunk without an end", "3\r\nabc0\r\n\r\n"],
    ["trailers that end in LF", "3\r\nabc\r\n0\r\n\n"],
    ["a last chunk that ends in LF", "3\r\nabc\r\n0\n\r\n"],
    ["a folded trailer", "3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n"],
    ["a trailer whose colon follows a blank", "3\r\nabc\r\n0\r\nX : y\r\n\r\n"],
    ["a trailer without a colon", "3\r\nabc\r\n0\r\nX\r\n\r\n"],
    ["a request in the place of trailers", "3\r\nabc\r\n0\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a length as a trailer", "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"],
    ["a coding as a trailer", "3\r\nabc\r\n0\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["a token as a trailer", "3\r\nabc\r\n0\r\nX-Vault-Token: root\r\n\r\n"],
    ["chunks that are too small", `${"1\r\nx\r\n".repeat(250_000)}0\r\n\r\n`],
    ["many chunks that are rather small", `${`10\r\n${"x".repeat(16)}\r\n`.repeat(1_000_000)}0\r\n\r\n`],
    ["trailers that are too long", `3\r\nabc\r\n0\r\n${"X: y\r\n".repeat(2000)}\r\n`],
    ["a trailer that is too long", `3\r\nabc\r\n0\r\nX: ${"y".repeat(9000)}\r\n\r\n`],
  ] as const
).map(([name, body]) => [name, 400, `${POST}Transfer-Encoding: chunked\r\n\r\n${body}`]);

describe.each([
  ["the framing of a body", framing],
  ["a head", heads],
  ["a chunked body", chunks],
] as const)("in %s", (_part, rows) => {
  test.each(rows.map((row) => [...row]))("%s gets %d", async (_name, status, request) => {
    const stream = request + SMUGGLED;
    const whole = await converse([stream]);
    expect(whole.seen).toEqual([]);
    expect(whole.answers.map((answer) => answer.status)).toEqual([status]);
    expect(whole.answers[0]?.headers.get("connection")).toBe("close");
    if (stream.length > 10_000) return;
    const bytewise = await converse(stream.split(""));
    expect(bytewise.seen).toEqual([]);
    expect(bytewise.answers.map((answer) => answer.status)).toEqual([status]);
  });
});

test.each(["GET", "LIST", "HEAD", "OPTIONS", "DELETE", "POST"])(
  "no %s with a bad chunk is carried out",
  async (method) => {
    let asked = 0;
    // The body is nothing to this app.
    const app = () => ((asked += 1), textAnswer("done"));
    // Of the longest ones the beginning is looked at before the app is asked.
    for (const [, , request] of chunks.filter(([, , { length }]) => length < 4000)) {
      const stream = request.replace("POST", method) + SMUGGLED;
      // Where the app gets the body, it is the app that finds what comes later.
      const pieces = method === "POST" || stream.length > 10_000 ? [stream] : stream.split("");
      const { answers } = await converse(pieces, app);
      expect(answers.map(({ status }) => status)).toEqual([400]);
    }
    expect(asked).toBe(0);
  },
);

test("a head is refused as soon as it is too long, though its end never comes", async () => {
  const { answers } = await converse([
    `GET /x HTTP/1.1\r\nX: `,
    ..."y"
      .repeat(70)
      .split("")
      .map((y) => y.repeat(1000)),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([400]);
});
