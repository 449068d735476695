/** Requests that are sent ahead of their answers, and nobody takes those. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import { furthestAhead, SENT_AHEAD } from "../../cli/http/sent-ahead.ts";
import type { Answer } from "../../core/http/answer.ts";
import { openConnection, textAnswer } from "./conversation.ts";
import { client, HEAD, started } from "./sockets.ts";
import { turns } from "../harness.ts";

test("those who hold the most are cut, until there is room", () => {
  const holding = [1, 30, 20, 30, 4].map((mib) => ({ sentAhead: mib * 1024 * 1024 }));
  expect(furthestAhead(holding).map((each) => holding.indexOf(each))).toEqual([1]);
  expect(furthestAhead(holding.slice(1, 3))).toEqual([]);
  expect(furthestAhead([{ sentAhead: SENT_AHEAD + 1 }])).toHaveLength(1);
});

test("a connection holds what waits behind a request, not what is being read", async () => {
  const answer = Promise.withResolvers<Answer>();
  let asked = 0;
  const { transport, connection } = openConnection(() => ((asked += 1), answer.promise));
  const send = (text: string) => transport.receiver.onData(Buffer.from(text));
  send(HEAD.slice(0, 10));
  await turns(2);
  expect(connection.sentAhead).toBe(0);
  send(HEAD.slice(10));
  await turns(2);
  expect(asked).toBe(1);
  send(HEAD + HEAD);
  expect(connection.sentAhead).toBe(2 * HEAD.length);
  answer.resolve(textAnswer("done"));
  await turns(2);
  expect(connection.sentAhead).toBe(0);
});

test.each([
  ["much", 1200, 128 * 1024],
  ["a little, of many clients, once a second", 1300, 64_000],
])("what is sent ahead of answers is bounded: %s", async (_what, count, bytes) => {
  const answer = Promise.withResolvers<Answer>();
  let asked = 0;
  const cut = Promise.withResolvers<string>();
  const onRefused = (reason: string) => cut.resolve(reason);
  await using running = await started(() => ((asked += 1), answer.promise), { maxConnections: 2000, onRefused });
  const clients: ReturnType<typeof client>[] = [];
  while (clients.length < count) {
    // No more at once than the system lets wait for a place.
    const some = Array.from({ length: 100 }, () => client(running.port));
    await Promise.all(some.map(({ socket }) => once(socket, "connect")));
    clients.push(...some);
  }
  const sent = HEAD.repeat(Math.ceil(bytes / HEAD.length));
  for (const { socket } of clients) socket.write(sent);
  let reason: string | undefined;
  while (reason === undefined) {
    reason = (await Promise.race([cut.promise, turns(10)])) ?? undefined;
    // Of clients that send less than 64 KiB nothing is told: they are found when it is looked at the time, which is the test's.
    if (bytes < 64 * 1024 && asked === count) await running.clock.pass(1000);
  }
  expect(reason).toBe("unread");
  for (const { socket } of clients) socket.destroy();
  answer.resolve(textAnswer("done"));
});

test("a client that resets the connection while it is held back gives its place back", async () => {
  await using running = await started(() => textAnswer("x".repeat(10_000)), { maxConnections: 1 });
  for (let round = 0; round < 10; round += 1) {
    const { socket, closed } = client(running.port);
    socket.pause();
    // More than the system and the server take.
    await new Promise<void>((resolve) => {
      socket.on("connect", () => socket.write(HEAD.repeat(100_000)));
      socket.on("drain", resolve);
      setImmediate(() => setImmediate(resolve));
    });
    socket.resetAndDestroy();
    await closed;
    await served(running.port);
  }
});

/** Resolves when a client gets an answer: those for whom there is no place are cut off. */
async function served(port: number): Promise<void> {
  for (;;) {
    const { socket, closed, text } = client(port);
    const answered = new Promise<void>((resolve) => socket.once("data", () => resolve()));
    socket.write(HEAD);
    await Promise.race([answered, closed]);
    socket.destroy();
    await closed;
    if (text().startsWith("HTTP/1.1 200")) return;
  }
}
