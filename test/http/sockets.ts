/** The HTTP server with real sockets, and its clients. */
import { connect, type Socket } from "node:net";
import { HttpServer, type HttpServerOptions } from "../../cli/http/server.ts";
import { testClock } from "../harness.ts";
import { recorder } from "./conversation.ts";

export const HEAD = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
/** The last request of its connection. */
export const CLOSING = HEAD.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");

/** A server on a port of its own, whose clock is the test's. */
export async function started(app = recorder([]), options: Partial<HttpServerOptions> = {}) {
  const clock = testClock();
  const http = { app, maxConnections: 100, clock, addressOf: (socket: string) => socket, ...options };
  const server = await HttpServer.listen({ host: "127.0.0.1", port: 0 }, http);
  return { server, clock, port: server.port, [Symbol.asyncDispose]: () => server.stop() };
}

/** A client that keeps what it gets. */
export function client(port: number): {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly text: () => string;
} {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined);
  socket.on("data", (bytes) => (text += bytes.toString("latin1")));
  return { socket, closed, text: () => text };
}
