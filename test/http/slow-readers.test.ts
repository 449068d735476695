/** Clients that do not take their answers, over sockets: what they may hold of the server, and for how long. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { makeCertificates, pemOf } from "../cli/certificates.ts";
import { textAnswer } from "./conversation.ts";
import { HEAD, started } from "./sockets.ts";

const tls = pemOf(makeCertificates().server);

/** A client that has begun to read its answer, and stops. */
async function stalled(port: number, isTls: boolean, requests = HEAD): Promise<Socket> {
  const socket = isTls ? connectTls({ port, rejectUnauthorized: false }) : connect(port);
  socket.on("error", () => undefined);
  socket.write(requests);
  await once(socket, "data");
  return socket.pause();
}

test.each([false, true])("what one has sent is not carried out when it has been cut off, TLS: %p", async (isTls) => {
  let asked = 0;
  const app = () => {
    asked += 1;
    return textAnswer("x".repeat(32 * 1024 * 1024));
  };
  await using server = await started(app, { tls: isTls ? tls : undefined });
  const socket = await stalled(server.port, isTls, HEAD.repeat(20));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  for (let look = 0; look < 10; look += 1) await server.clock.pass(30_000);
  socket.resume();
  await closed;
  expect(asked).toBe(1);
});
