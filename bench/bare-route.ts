/**
 * A route that does nothing, to measure the other ones by: `bun bench/bare-route.ts listener` serves it by the HTTP
 * server of the executable, `… runtime` by the runtime's own. Prints its URL.
 */
import { Hono } from "hono";
import type { HeaderFields } from "../cli/http/head.ts";
import { HttpServer } from "../cli/http/server.ts";
import type { Answer } from "../core/http/answer.ts";
import type { Incoming } from "../core/http/incoming.ts";

/** Of all its answers. */
const HEADERS = { "content-type": "application/json" };
const app = new Hono().get("*", (context) => context.json({ ok: true }));
const host = "127.0.0.1";
const { port } =
  process.argv[2] === "listener"
    ? await HttpServer.listen({ host, port: 0 }, { app: ask, addressOf: (socket) => socket, maxConnections: 1000 })
    : Bun.serve({ hostname: host, port: 0, fetch: app.fetch });
process.stdout.write(`http://${host}:${port}\n`);

async function ask({ method, target, headers }: Incoming): Promise<Answer> {
  const sent = new Headers();
  for (const [name, value] of headers as HeaderFields) sent.append(name, value);
  const response = await app.fetch(new Request(`http://${host}${target}`, { method, headers: sent }));
  return { status: response.status, headers: HEADERS, body: await response.text() };
}
