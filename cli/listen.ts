/** The port: hands requests to the app, and stops without dropping any that it has begun to read. */

import type { ListenAddress } from "./listen-address.ts";
import { guardPath } from "./raw-path.ts";

/** Above the pipeline's own limit, so that its 413 is the one that clients see. */
const LARGEST_BODY = 64 * 1024 * 1024;
/** Seconds after which a connection on which nothing moves is closed. */
const IDLE_SECONDS = 120;
/** How long a stop waits for requests that are under way. */
const DRAIN_MS = 30_000;
/** How often a stop looks whether they are done; the runtime tells nobody. */
const POLL_MS = 10;

export interface Listener {
  /** Where clients find it, with the port that was chosen if 0 was asked for. */
  readonly url: string;
  /** Takes no more connections and resolves when every request under way is answered, or after 30 seconds. */
  stop(): Promise<void>;
}

/** Listens on `address`. Rejects with the system's error when the address cannot be had. */
export function listen(address: ListenAddress, app: (request: Request) => Response | Promise<Response>): Listener {
  let isStopping = false;
  const server = Bun.serve({
    hostname: address.host,
    port: address.port,
    development: false,
    // Outside of development mode the runtime would share the port with another process that asks for it, too.
    reusePort: false,
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: LARGEST_BODY,
    ...guardPath(async (request) => {
      const response = await app(request);
      // A client that keeps its connection must not go on using it while the server is stopping.
      if (isStopping) response.headers.set("connection", "close");
      return response;
    }),
    error: () => Response.json({ errors: ["internal error"] }, { status: 500 }),
  });
  return {
    url: server.url.origin,
    async stop() {
      isStopping = true;
      const stopped = server.stop();
      const end = performance.now() + DRAIN_MS;
      // A request is pending until its answer is written. Connections that clients keep open without use are then cut.
      while (server.pendingRequests > 0 && performance.now() < end) {
        await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, POLL_MS))]);
      }
      await server.stop(true);
    },
  };
}
