/** Requests that are right, and what mistakes and malice make of them. The same seed gives the same streams. */

const SEEDS = [
  "GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n",
  "LIST /v1/secret?list=true HTTP/1.1\r\nHost: x:8200\r\nX-Vault-Token: root\r\nContent-Length: 2\r\n\r\n{}",
  'PUT /v1/secret/a HTTP/1.1\r\nHost: x\r\nX-Vault-Token: root\r\nContent-Length: 9\r\n\r\n{"a":"b"}',
  'POST /v1/secret/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n4;x=y\r\n"b"}\r\n0\r\n\r\n',
  "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: y\r\n\r\n",
  "DELETE /v1/secret/a HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
  "GET http://x/v1/abs?a=b HTTP/1.1\r\nHost: x\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
  "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "PUT /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
  "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
];

/** What parsers have been told apart by. */
const PIECES = [
  ...'\r\n|\n|\r|\r\n\r\n|\n\n|\0| |\t|\x0b|\x0c|\x7f|\x85|\xa0|\xff|:|;|,|0|1|5|a|f|-|+|"|/|#|%|*|\r\n |\r\n\t'.split(
    "|",
  ),
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Content-Length : 5\r\n",
  "content-length:\t3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Transfer-Encoding : chunked\r\n",
  "Transfer-Encoding:\x0bchunked\r\n",
  "Transfer-Encoding: chunked, chunked\r\n",
  "Connection: close\r\n",
  "Host: y\r\n",
  "X: y\r\n",
  "0\r\n\r\n",
  "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
  "HTTP/1.1",
  "HTTP/1.0",
  "chunked",
];

export type Random = () => number;

/** Mulberry32: numbers from 0 on, below 1. */
export function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A few requests one behind the other, one character for each byte, with up to four changes. */
export function mutated(random: Random): string {
  const below = (limit: number) => Math.floor(random() * limit);
  const oneOf = (from: readonly string[]) => from[below(from.length)] ?? "";
  let stream = Array.from({ length: 1 + below(4) }, () => oneOf(SEEDS)).join("");
  for (let changes = below(5); changes > 0; changes -= 1) {
    // Half of them where lines begin and end, which is where it matters.
    const lines = Array.from(stream.matchAll(/\r\n|:/g), ({ index }) => index);
    const at = random() < 0.5 ? (lines[below(lines.length)] ?? 0) + below(4) - 1 : below(stream.length);
    const [before, after] = [stream.slice(0, Math.max(at, 0)), stream.slice(Math.max(at, 0))];
    const length = 1 + below(random() < 0.8 ? 3 : 40);
    stream = oneOf([
      before + oneOf(PIECES) + after,
      before + oneOf(PIECES) + after,
      before + oneOf(PIECES) + after.slice(length),
      before + after.slice(length),
      before + after.slice(0, length) + after,
      before + String.fromCodePoint(below(256)) + after.slice(1),
    ]);
  }
  return stream;
}

/** The stream in up to four pieces. */
export function cut(stream: string, random: Random): string[] {
  const cuts = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * stream.length)).sort(
    (a, b) => a - b,
  );
  return [...cuts, stream.length]
    .map((end, index) => stream.slice(cuts[index - 1] ?? 0, end))
    .filter((part) => part !== "");
}
