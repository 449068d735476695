/** Who gets in when there is no room for more connections. */
import { expect, test } from "bun:test";
import type { App } from "../../cli/http/connection.ts";
import type { Answer } from "../../core/http/answer.ts";
import { turns } from "../harness.ts";
import { recorder, textAnswer } from "./conversation.ts";
import { client, CLOSING, HEAD, started } from "./sockets.ts";

test("there are no more connections with requests than allowed, and a new one when one has gone", async () => {
  const waiting: ((answer: Answer) => void)[] = [];
  const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using running = await started(
    () => {
      const { promise, resolve } = Promise.withResolvers<Answer>();
      asked[waiting.push(resolve) - 1]?.resolve();
      return waiting.length > 2 ? textAnswer("at once") : promise;
    },
    { maxConnections: 2 },
  );
  const { port } = running.server;
  const [first, second] = [client(port), client(port)];
  for (const { socket } of [first, second]) socket.write(CLOSING);
  await Promise.all(asked.map(({ promise }) => promise));
  const third = client(port);
  await third.closed;
  expect(third.text()).toBe("");
  waiting[0]?.(textAnswer("late"));
  await Promise.race([first.closed, second.closed]);
  // The client may see the end of its connection before the server does.
  let text = "";
  while (text === "") {
    const fourth = client(port);
    fourth.socket.write(CLOSING);
    await fourth.closed;
    text = fourth.text();
  }
  expect(text).toEndWith("at once");
  waiting[1]?.(textAnswer("later"));
  await Promise.all([first.closed, second.closed]);
});

test("when there is no room, the connection that has been idle the longest makes way", async () => {
  await using running = await started(recorder([]), { maxConnections: 3 });
  const { port } = running.server;
  const [often, seldom, never] = [client(port), client(port), client(port)];
  for (const { socket } of [often, seldom, never, seldom, often]) {
    running.clock.advance(1000);
    socket.write(HEAD);
    await new Promise((resolve) => socket.once("data", resolve));
  }
  const late = [client(port), client(port)];
  await Promise.all([never.closed, seldom.closed]);
  for (const { socket, text, closed } of [often, ...late]) {
    socket.write(CLOSING);
    await closed;
    expect(text()).toContain("connection: close");
  }
});

test("a connection on which a request has begun does not make way", async () => {
  await using running = await started(recorder([]), { maxConnections: 1 });
  const begun = client(running.server.port);
  begun.socket.write(HEAD + HEAD.slice(0, 10));
  await new Promise((resolve) => begun.socket.once("data", resolve));
  const late = client(running.server.port);
  await late.closed;
  begun.socket.write(CLOSING.slice(10));
  await begun.closed;
  expect(begun.text().match(/HTTP\/1.1 200/g)).toHaveLength(2);
});

const BODY = "PUT /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n";

test.each([
  ["a head", HEAD.slice(0, 10)],
  ["a body", BODY],
])("where nobody is idle, who pauses for two looks in the middle of %s makes way", async (_what, begun) => {
  const refused: string[] = [];
  const onRefused = (reason: string) => refused.push(reason);
  await using running = await started(recorder([]), { maxConnections: 1, onRefused });
  const slow = client(running.port);
  await sent(slow, begun);
  await running.clock.pass(1000);
  const tooEarly = client(running.port);
  await tooEarly.closed;
  await running.clock.pass(1000);
  const late = client(running.port);
  late.socket.write(CLOSING);
  await Promise.all([slow.closed, late.closed]);
  expect([slow.text(), late.text()]).toEqual(["", expect.stringContaining("200 OK")]);
  expect(refused).toEqual(["full", "full"]);
});

test("a request whose body has come is not cut while it is carried out", async () => {
  const come = Promise.withResolvers<void>();
  const carriedOut = Promise.withResolvers<void>();
  const app: App = async ({ body }) => {
    await body?.whole();
    come.resolve();
    await carriedOut.promise;
    return textAnswer("done");
  };
  await using running = await started(app, { maxConnections: 1 });
  const one = client(running.port);
  await sent(one, "PUT /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab");
  one.socket.write("cd");
  await come.promise;
  for (let look = 0; look < 20; look += 1) await running.clock.pass(1000);
  const late = client(running.port);
  await late.closed;
  carriedOut.resolve();
  await one.closed;
  expect(one.text()).toContain("200 OK");
});

test("who sends a body steadily is not cut because the server stood still", async () => {
  await using running = await started(recorder([]), { maxConnections: 1 });
  const steady = client(running.port);
  await sent(steady, BODY);
  // A single look, however long ago the last was.
  running.clock.advance(1000);
  const late = client(running.port);
  await late.closed;
  steady.socket.write("x\r\n0\r\n\r\n");
  await steady.closed;
  expect(steady.text()).toContain("200 OK");
});

test("where nobody is idle, who sends a body for ten seconds makes way, the oldest first", async () => {
  await using running = await started(recorder([]), { maxConnections: 2 });
  const clients = [client(running.port), client(running.port)] as const;
  for (const each of clients) {
    await sent(each, BODY);
    running.clock.advance(500);
  }
  for (let piece = 0; piece < 10; piece += 1) {
    for (const each of clients) await sent(each, "x\r\n1\r\n");
    running.clock.advance(900);
  }
  // The first began 10 seconds ago, the second half a second later.
  const late = [client(running.port), client(running.port)] as const;
  await clients[0].closed;
  await Promise.race(late.map(({ closed }) => closed));
  for (const { socket } of late) socket.write(CLOSING);
  await Promise.all(late.map(({ closed }) => closed));
  expect(late.filter(({ text }) => text().includes("200 OK"))).toHaveLength(1);
  clients[1].socket.destroy();
});

/** Resolves when the server has read what is sent. */
async function sent({ socket }: ReturnType<typeof client>, text: string): Promise<void> {
  await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  await turns(5);
}
