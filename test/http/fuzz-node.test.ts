/**
 * Bytes that may stand between this server and Node: wherever both take a request at the same place in the same bytes, it is
 * the same one, with the same body, and the next begins at the same byte for both.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { converse } from "./conversation.ts";
import { mutated, randomFrom } from "./mutations.ts";

const STREAMS = process.env["SLOW"] === "1" ? 20_000 : 1000;
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

interface Read {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

/** Node gives targets whole and as bytes, and bodies of every verb. */
function asOurs({ method, target, body }: Read): Read {
  const path = Buffer.from(target, "latin1")
    .toString()
    .replace(/^https?:\/\/[^/?]+/i, "");
  return {
    method,
    target: path === "*" || path.startsWith("/") ? path : `/${path}`,
    body: WITH_BODY.has(method) ? body : "",
  };
}

test(`${STREAMS} streams are read as node:http reads them`, async () => {
  // LIST is no verb of Node's.
  const streams = Array.from({ length: STREAMS }, (_, index) =>
    mutated(randomFrom(1_000_000 + index)).replaceAll("LIST", "POST"),
  );
  const child = Bun.spawn(["node", join(import.meta.dir, "node-parser.mjs")], {
    stdin: new Blob([streams.map((stream) => `${JSON.stringify(stream)}\n`).join("")]),
    stdout: "pipe",
  });
  const lines = (await child.stdout.text()).trimEnd().split("\n");
  expect(lines.length).toBe(STREAMS);
  let both = 0;
  for (const [index, stream] of streams.entries()) {
    const theirs = JSON.parse(lines[index] ?? "") as readonly Read[];
    const ours = (await converse([stream])).seen;
    const common = Math.min(ours.length, theirs.length);
    expect({
      index,
      stream,
      read: ours.slice(0, common).map(({ method, target, body }) => ({ method, target, body })),
    }).toEqual({
      index,
      stream,
      read: theirs.slice(0, common).map((request) => asOurs(request)),
    });
    both += common;
  }
  expect(both).toBeGreaterThan(STREAMS / 4);
}, 900_000);
