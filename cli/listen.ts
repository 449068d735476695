/** The port: hands requests to the app, and stops without dropping any that it has begun to read. */

import type { ListenAddress } from "./listen-address.ts";

/** Above the pipeline's own limit, so that its 413 is the one that clients see. */
const LARGEST_BODY = 64 * 1024 * 1024;
/** Seconds after which a connection on which nothing moves is closed. */
const IDLE_SECONDS = 120;
/** How long a stop waits for requests that are under way. */
const DRAIN_MS = 30_000;

export interface Listener {
  /** Where clients find it, with the port that was chosen if 0 was asked for. */
  readonly url: string;
  /** Takes no more connections and resolves when every request under way is answered, or after 30 seconds. */
  stop(): Promise<void>;
}

/** Listens on `address`. Rejects with the system's error when the address cannot be had. */
export function listen(address: ListenAddress, app: (request: Request) => Response | Promise<Response>): Listener {
  let underWay = 0;
  let onIdle: (() => void) | undefined;
  const server = Bun.serve({
    hostname: address.host,
    port: address.port,
    development: false,
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: LARGEST_BODY,
    async fetch(request) {
      underWay += 1;
      try {
        const response = await app(request);
        // A client that keeps its connection must not go on using it while the server is stopping.
        if (onIdle !== undefined) response.headers.set("connection", "close");
        return response;
      } finally {
        underWay -= 1;
        if (underWay === 0) onIdle?.();
      }
    },
    error: () => Response.json({ errors: ["internal error"] }, { status: 500 }),
  });
  return {
    url: server.url.origin,
    async stop() {
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
        setTimeout(resolve, DRAIN_MS).unref();
      });
      const stopped = server.stop();
      if (underWay > 0) await idle;
      // What was answered is still being written; only connections that clients keep open without use are cut.
      await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 100))]);
      await server.stop(true);
    },
  };
}
