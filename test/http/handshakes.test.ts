/** Connections over TLS that never get past the handshake, or take nothing: they count, and their time is limited. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { textAnswer } from "./conversation.ts";
import { makeCertificates, pemOf } from "../cli/certificates.ts";
import { client, started } from "./sockets.ts";

const made = makeCertificates();

const tls = pemOf(made.server);

/** A server over TLS. */
function overTls(maxConnections: number, app = () => textAnswer("hello")) {
  return started(app, { maxConnections, tls });
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
  socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
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

test("they count as connections", async () => {
  await using server = await overTls(2);
  const waiting = [client(server.port), client(server.port)];
  await Promise.all(waiting.map(({ socket }) => once(socket, "connect")));
  expect(await ask(server.port)).toBe("");
  for (const { socket, closed } of waiting) {
    socket.destroy();
    await closed;
  }
  let text = "";
  while (text === "") text = await ask(server.port);
  expect(text).toEndWith("hello");
});

test("an idle connection makes way for each of them", async () => {
  await using server = await overTls(2);
  const closed: Promise<unknown>[] = [];
  for (let opened = 0; opened < 2; opened += 1) {
    const idle = connectTls({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
    idle.on("error", () => undefined);
    closed.push(closing(idle));
    idle.on("secureConnect", () => idle.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    await once(idle, "data");
  }
  const late = [client(server.port), client(server.port)];
  await Promise.all(closed);
  for (const { socket } of late) socket.destroy();
});

test("a reader that takes nothing is cut off", async () => {
  await using server = await overTls(10, () => textAnswer("x".repeat(64 * 1024 * 1024)));
  const socket = connectTls({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
  socket.on("error", () => undefined);
  socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await once(socket, "data");
  socket.pause();
  const closed = closing(socket);
  for (let look = 0; look < 10; look += 1) await server.clock.pass(30_000);
  socket.resume();
  await closed;
});
