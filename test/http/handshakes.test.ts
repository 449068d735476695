/** Connections over TLS that never get past the handshake: they are limited in time and number, and keep nobody out. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { OnRefused } from "../../cli/http/refusal.ts";
import { textAnswer } from "./conversation.ts";
import { makeCertificates, pemOf } from "../cli/certificates.ts";
import { client, CLOSING, HEAD, started } from "./sockets.ts";

const made = makeCertificates();

const tls = pemOf(made.server);

/** A server over TLS. */
function overTls(maxConnections: number, onRefused?: OnRefused) {
  return started(() => textAnswer("hello"), { maxConnections, tls, onRefused });
}

function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once("close", resolve));
}

/** What a client gets that does it right. */
async function ask(port: number): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString("latin1")));
  socket.on("error", () => undefined);
  socket.on("secureConnect", () => socket.write(CLOSING));
  await closing(socket);
  return text;
}

test("one that does not shake hands is closed after ten seconds", async () => {
  await using server = await overTls(10);
  const [nothing, begun] = [client(server.port), client(server.port)];
  begun.socket.write(Buffer.from("\x16\x03\x01\x02\x00\x01", "latin1"));
  expect(await ask(server.port)).toEndWith("hello");
  server.clock.advance(9000);
  expect([nothing.socket.readyState, begun.socket.readyState]).toEqual(["open", "open"]);
  server.clock.advance(1000);
  await Promise.all([nothing.closed, begun.closed]);
});

/** A connection that is idle, with an answer behind it. */
async function idle(port: number) {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
  socket.on("error", () => undefined);
  const closed = closing(socket);
  socket.write(HEAD);
  await once(socket, "data");
  return { socket, closed };
}

/** Clients that begin no more than a connection, one after the other. */
async function unfinished(port: number, count: number) {
  const clients: ReturnType<typeof client>[] = [];
  while (clients.length < count) {
    const last = client(port);
    await once(last.socket, "connect");
    clients.push(last);
  }
  return clients;
}

test("there are no more of them than connections are allowed, and the oldest makes way", async () => {
  await using server = await overTls(3);
  const clients = await unfinished(server.port, 10);
  await Promise.all(clients.slice(0, 7).map(({ closed }) => closed));
  // One more, which goes to its end: the next one makes way for it.
  expect(await ask(server.port)).toEndWith("hello");
  await clients[7]?.closed;
  expect(clients.slice(8).map(({ socket }) => socket.readyState)).toEqual(["open", "open"]);
});

test("no connection makes way for them, but the one that is idle the longest for who is done", async () => {
  await using server = await overTls(2);
  const first = await idle(server.port);
  await unfinished(server.port, 2);
  server.clock.advance(1000);
  const second = await idle(server.port);
  const clients = await unfinished(server.port, 10);
  await Promise.all(clients.slice(0, 8).map(({ closed }) => closed));
  for (const { socket } of [first, second]) {
    server.clock.advance(1000);
    socket.write(HEAD);
    await once(socket, "data");
  }
  expect(await ask(server.port)).toEndWith("hello");
  await first.closed;
  second.socket.write(HEAD);
  await once(second.socket, "data");
  second.socket.destroy();
});

test("who is done is closed when every connection is busy, and told as one too many", async () => {
  const told: (string | undefined)[][] = [];
  await using server = await overTls(1, (...refused) => told.push(refused));
  const busy = await idle(server.port);
  busy.socket.write(HEAD + HEAD.slice(0, 10));
  await once(busy.socket, "data");
  expect(await ask(server.port)).toBe("");
  expect(told).toEqual([["full", "there are too many connections", "127.0.0.1"]]);
  busy.socket.destroy();
});
