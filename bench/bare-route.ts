/**
 * A route that does nothing, to measure the other ones by: `bun bench/bare-route.ts listener` serves it by the HTTP
 * server of the executable, `… runtime` by the runtime's own. Prints its URL.
 */
import { Hono } from "hono";
import { HttpServer } from "../cli/http/server.ts";

const app = new Hono().get("*", (context) => context.json({ ok: true }));
const host = "127.0.0.1";
const { port } =
  process.argv[2] === "listener"
    ? await HttpServer.listen(
        { host, port: 0 },
        { app: (request) => app.fetch(request), addressOf: (socket) => socket, maxConnections: 1000 },
      )
    : Bun.serve({ hostname: host, port: 0, fetch: app.fetch });
process.stdout.write(`http://${host}:${port}\n`);
