/** What the app never gets to see is told: by the server to whoever listens, and by the executable in numbers and log. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { makeCertificates, pemOf } from "../cli/certificates.ts";
import { startServer } from "../executable.ts";
import { textAnswer } from "./conversation.ts";
import { client, CLOSING, HEAD, started } from "./sockets.ts";

const made = makeCertificates();

/** A server that has room for one connection, and what it tells. */
async function telling({ isTls }: { readonly isTls: boolean }) {
  const told: (string | undefined)[][] = [];
  let next = Promise.withResolvers<void>();
  const running = await started(() => textAnswer("hello"), {
    maxConnections: 1,
    tls: isTls ? { ...pemOf(made.server), requestCert: true, rejectUnauthorized: false } : undefined,
    onRefused: (...refused) => {
      told.push(refused);
      next.resolve();
      next = Promise.withResolvers();
    },
  });
  return { ...running, told, next: () => next.promise };
}

test("a malformed request", async () => {
  await using server = await telling({ isTls: false });
  const malformed = client(server.port);
  malformed.socket.write("GET / secret HTTP/1.1\r\n\r\n");
  await malformed.closed;
  expect(server.told).toEqual([["malformed", "malformed request line", "127.0.0.1"]]);
});

test("a connection for which there is no room", async () => {
  await using server = await telling({ isTls: false });
  const busy = client(server.port);
  busy.socket.write(HEAD + HEAD.slice(0, 10));
  await once(busy.socket, "data");
  await client(server.port).closed;
  busy.socket.write(CLOSING.slice(10));
  await busy.closed;
  expect(server.told).toEqual([["full", "there are too many connections", "127.0.0.1"]]);
});

test("a handshake that fails", async () => {
  await using server = await telling({ isTls: true });
  const told = server.next();
  client(server.port).socket.write(CLOSING);
  await told;
  expect(server.told).toEqual([["handshake", "the TLS handshake failed", "127.0.0.1"]]);
});

test("a handshake that takes too long, once", async () => {
  await using server = await telling({ isTls: true });
  const slow = client(server.port);
  await once(slow.socket, "connect");
  while (server.told.length === 0) await server.clock.pass(10_000);
  await slow.closed;
  expect(server.told).toEqual([["handshake", "the TLS handshake took too long", "127.0.0.1"]]);
});

test("a handshake that makes way", async () => {
  await using server = await telling({ isTls: true });
  const old = client(server.port);
  await once(old.socket, "connect");
  const late = client(server.port);
  await old.closed;
  expect(server.told).toEqual([["handshake", "the TLS handshake made way for a newer one", "127.0.0.1"]]);
  late.socket.destroy();
});

test("a client's certificate that does not hold", async () => {
  await using server = await telling({ isTls: true });
  const told = server.next();
  const socket = connectTls({ port: server.port, rejectUnauthorized: false, ...pemOf(made.server) });
  socket.on("error", () => undefined);
  await told;
  expect(server.told.map(([reason, why]) => [reason, why])).toEqual([
    ["handshake", "the client's certificate does not hold"],
  ]);
});

test("the executable counts them, and names them in its log at debug only", async () => {
  for (const level of ["debug", "info"]) {
    await using server = await startServer({ args: ["--storage", "memory:", "--log-level", level] });
    const { token } = await server.initAndUnseal();
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined).resume();
    socket.write("no request\r\n\r\n");
    await once(socket, "close");
    const { text } = await server.call("GET", "sys/metrics?format=prometheus", { token });
    expect(text).toContain('coffer_connections_refused_total{reason="malformed"} 1\n');
    expect(text).toContain('coffer_connections_refused_total{reason="full"} 0\n');
    await server.stop();
    const lines = server.log.filter(({ msg }) => msg === "connection refused");
    const expected = {
      level: "debug",
      reason: "malformed",
      why: "malformed request line",
      remote_address: "127.0.0.1",
    };
    expect(lines).toMatchObject(level === "debug" ? [expected] : []);
  }
});
