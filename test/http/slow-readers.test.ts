/** Clients that do not take their answers, over sockets: what they may hold of the server, and for how long. */
import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { makeCertificates, pemOf } from "../cli/certificates.ts";
import { textAnswer } from "./conversation.ts";
import { CLOSING, HEAD, started } from "./sockets.ts";

const tls = pemOf(makeCertificates().server);

const MEBIBYTE = 1024 * 1024;

/**
 * A client that has read the first bytes of its answer, `begun` of them, and stops. `cut` is the code of the error that it
 * gets in the end.
 */
async function stalled(port: number, isTls: boolean, requests = HEAD) {
  const socket = isTls ? connectTls({ port, rejectUnauthorized: false }) : connect(port);
  const failed = Promise.withResolvers<unknown>();
  socket.on("error", (error: Error & { readonly code?: string }) => failed.resolve(error.code));
  socket.write(requests);
  const [begin] = (await once(socket, "data")) as [Uint8Array];
  socket.pause();
  return { socket, begun: begin.length, cut: failed.promise };
}

/** Reads at least `count` bytes, and stops; resolves with how many they were, fewer at the end. */
async function read(socket: Socket, count: number): Promise<number> {
  let length = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const onData = (bytes: Uint8Array) => (length += bytes.length) >= count && resolve();
  socket.on("data", onData).once("close", resolve);
  socket.resume();
  await promise;
  socket.off("data", onData).off("close", resolve).pause();
  return length;
}

describe.each([
  ["in the clear", false],
  ["over TLS", true],
])("%s", (_name, isTls) => {
  test("what a client has sent is not carried out when it has been cut off", async () => {
    let asked = 0;
    const app = () => ((asked += 1), textAnswer("x".repeat(32 * MEBIBYTE)));
    await using server = await started(app, { tls: isTls ? tls : undefined });
    const { socket, cut } = await stalled(server.port, isTls, HEAD.repeat(20));
    for (let look = 0; look < 10; look += 1) await server.clock.pass(30_000);
    socket.resume();
    // Reset: a client that closes in order may take its time, and what it has not taken is kept as long.
    expect(await cut).toBe("ECONNRESET");
    expect(asked).toBe(1);
  });

  test("a reader gets the whole of a large answer while those who take nothing are cut off", async () => {
    const refused: (string | undefined)[][] = [];
    const body = "x".repeat(64 * MEBIBYTE);
    await using server = await started(() => textAnswer(body), {
      tls: isTls ? tls : undefined,
      onRefused: (...told) => refused.push(told),
    });
    const slow = [await stalled(server.port, isTls), await stalled(server.port, isTls)];
    const reader = await stalled(server.port, isTls, CLOSING);
    for (let taken = reader.begun; taken < body.length;) {
      // Some of its answer each time, as a client reads that has something else to do.
      taken += await read(reader.socket, 2 * MEBIBYTE);
      await server.clock.pass(100);
    }
    reader.socket.destroy();
    for (const { socket, cut } of slow) {
      socket.resume();
      expect(await cut).toBe("ECONNRESET");
    }
    expect(refused).toEqual(slow.map(() => ["unread", "the answer was not taken", "127.0.0.1"]));
  });
});
