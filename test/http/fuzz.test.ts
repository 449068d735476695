/**
 * Whatever bytes come: the server neither fails nor waits for ever, every answer is whole, and what it takes for requests
 * an independent reader of the standard takes for the same. The server may refuse what that one takes, but where it goes on
 * both go on at the same byte.
 */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { converse, type Seen } from "./conversation.ts";
import { started } from "./sockets.ts";
import { cut, mutated, randomFrom } from "./mutations.ts";
import { readRequests, type Reference } from "./reference-parser.ts";

const STREAMS = process.env["SLOW"] === "1" ? 1_000_000 : 100_000;
/** Verbs of which the app gets the body. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

/** As the app gets it. */
function normal({ method, target, fields, body }: Reference): object {
  const text = Buffer.from(target, "latin1").toString();
  const path = text.replace(/^https?:\/\/[^/?]*(?=(\/)?)/i, (_, slash?: string) => (slash === undefined ? "/" : ""));
  const headers = new Headers(fields.map(([name, value]): [string, string] => [name, value]));
  return { method, target: path, headers: [...headers], body: WITH_BODY.has(method) ? body : "" };
}

const seenNormal = ({ headers, ...rest }: Seen) => ({ ...rest, headers: [...headers] });

test(`${STREAMS} streams are read as another reader reads them`, async () => {
  let [taken, refused] = [0, 0];
  for (let seed = 1; seed <= STREAMS; seed += 1) {
    const random = randomFrom(seed);
    const stream = mutated(random);
    const { seen, answers } = await converse(cut(stream, random));
    const reference = readRequests(stream);
    const context = { seed, stream };
    const finals = answers.filter(({ status }) => status >= 200);
    const isOpen = finals.at(-1)?.headers.get("connection") !== "close";
    const { requests } = reference;
    // Everything that was asked is in the stream, and begins where the reference has it begin.
    expect({ ...context, seen: seen.map((request) => seenNormal(request)) }).toEqual({
      ...context,
      seen: requests.slice(0, seen.length).map((request) => normal(request)),
    } as never);
    const failed = finals.findIndex(({ status }) => status !== 200);
    // Nothing is answered behind an answer that refuses.
    expect({ ...context, failed, answers: finals.length }).toEqual({
      ...context,
      failed: finals.length === seen.length ? -1 : seen.length,
      answers: failed === -1 ? seen.length : seen.length + 1,
    });
    // What is broken by the standard is refused, as soon as its head is there, unless the server was done before.
    if (isOpen && reference.rest === "broken" && stream.slice(reference.end).trimStart().includes("\r\n\r\n"))
      expect({ ...context, failed }).not.toEqual({ ...context, failed: -1 });
    taken += seen.length;
    refused += failed === -1 ? 0 : 1;
  }
  expect(taken).toBeGreaterThan(STREAMS / 2);
  expect(refused).toBeGreaterThan(STREAMS / 4);
}, 900_000);

/** What a server on a real socket answers to the stream: status and body of each answer. */
function overSocket(port: number, stream: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(text));
    socket.end(Buffer.from(stream, "latin1"));
  });
}

test(`${STREAMS / 10} of them are answered the same over sockets`, async () => {
  await using server = await started();
  for (let seed = 1; seed <= STREAMS / 10; seed += 20) {
    const streams = Array.from({ length: 20 }, (_, index) => mutated(randomFrom(seed + index)));
    const texts = await Promise.all(streams.map((stream) => overSocket(server.port, stream)));
    for (const [index, stream] of streams.entries()) {
      const { answers } = await converse([stream]);
      // Whether the connection would go on depends on when the client's end is seen.
      const statuses = Array.from((texts[index] ?? "").matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) =>
        Number(status),
      );
      expect({ stream, statuses }).toEqual({ stream, statuses: answers.map(({ status }) => status) });
    }
  }
}, 900_000);
