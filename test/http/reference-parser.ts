/**
 * Reads requests as RFC 9112 says, with none of the server's code: a slow and plain reader of what is right. What the
 * standard leaves to the reader it takes as the server does where it says so, and refuses elsewhere.
 */

export interface Reference {
  readonly method: string;
  readonly target: string;
  /** Name in lower case and value, in the order in which they came. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** What a stream holds: whole requests, and whether it ends in one that is not right. */
export interface Reading {
  readonly requests: readonly Reference[];
  /** `broken`: what follows is no request. `partial`: what follows may still become one. */
  readonly rest: "none" | "partial" | "broken";
  /** Where the last whole request ends. */
  readonly end: number;
}

class Broken extends Error {}
class Partial extends Error {}

const CRLF = "\r\n";

/** All requests in `stream`, one character for each byte, until one asks for the connection to be closed. */
export function readRequests(stream: string): Reading {
  const requests: Reference[] = [];
  let at = 0;
  while (at < stream.length) {
    try {
      const { request, end, isLast } = readOne(stream, at);
      requests.push(request);
      at = end;
      if (isLast) return { requests, rest: "none", end: at };
    } catch (error) {
      if (error instanceof Partial) return { requests, rest: "partial", end: at };
      if (error instanceof Broken) return { requests, rest: "broken", end: at };
      throw error;
    }
  }
  return { requests, rest: "none", end: at };
}

function readOne(stream: string, start: number): { request: Reference; end: number; isLast: boolean } {
  let at = stream.startsWith(CRLF, start) ? start + 2 : start;
  const line = () => {
    const end = stream.indexOf(CRLF, at);
    if (end === -1) throw new Partial();
    const text = stream.slice(at, end);
    if (/[\r\n\0]/.test(text)) throw new Broken();
    at = end + 2;
    return text;
  };
  const [, method, target, minor] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ \t]+) HTTP\/1\.([01])$/.exec(line()) ?? [];
  if (method === undefined || target === undefined) throw new Broken();
  const fields = readFields(line);
  const all = (name: string) => fields.filter((field) => field[0] === name).map((field) => field[1]);
  if (minor === "1" && all("host").length !== 1) throw new Broken();
  const [lengths, codings] = [all("content-length"), all("transfer-encoding")];
  let body = "";
  if (codings.length > 0) {
    if (codings.join(",").toLowerCase() !== "chunked" || lengths.length > 0 || minor === "0") throw new Broken();
    for (;;) {
      const [, size = ""] = /^([0-9A-Fa-f]+)(?:[ \t]*;.*)?$/.exec(line()) ?? [];
      if (size === "") throw new Broken();
      if (Number.parseInt(size, 16) === 0) break;
      body += take(Number.parseInt(size, 16));
      if (line() !== "") throw new Broken();
    }
    readFields(line);
  } else if (lengths.length > 0) {
    if (lengths.length > 1 || !/^[0-9]+$/.test(lengths[0] ?? "")) throw new Broken();
    body = take(Number(lengths[0]));
  }
  const options = all("connection").flatMap((value) =>
    value
      .toLowerCase()
      .split(",")
      .map((option) => option.trim()),
  );
  const isLast = options.includes("close") || (minor === "0" && !options.includes("keep-alive"));
  return { request: { method, target, fields, body }, end: at, isLast };

  function take(count: number): string {
    if (at + count > stream.length) throw new Partial();
    at += count;
    return stream.slice(at - count, at);
  }
}

function readFields(line: () => string): (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [];
  for (;;) {
    const text = line();
    if (text === "") return fields;
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new Broken();
    fields.push([name.toLowerCase(), value]);
  }
}
