/** The sockets: accepts connections up to a limit, looks after their time, and stops without dropping a request. */
import { createServer as createTcpServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions, TLSSocket } from "node:tls";
import { type Accepted, Connection } from "./connection.ts";

/** How often each connection's time is looked at. */
const CHECK_MS = 1000;
/** How long a stop waits for requests that are under way. */
const DRAIN_MS = 30_000;
const HANDSHAKE_MS = 10_000;

export interface HttpServerOptions extends Omit<Accepted, "isStopping"> {
  /** Connections beyond are closed as soon as they come. */
  readonly maxConnections: number;
  /** Without: in the clear. */
  readonly tls?: TlsOptions | undefined;
}

export class HttpServer {
  readonly #connections = new Set<Connection>();
  readonly #server: NetServer & { setSecureContext?(options: TlsOptions): void };
  readonly #timer: ReturnType<typeof setInterval>;
  #isStopping = false;
  #onEmpty: (() => void) | undefined;

  constructor({ app, addressOf, maxConnections, tls }: HttpServerOptions) {
    const accepted: Accepted = { app, addressOf, isStopping: () => this.#isStopping };
    const onSocket = (socket: Socket) => this.#accept(socket, accepted);
    // Half-open: a client that has sent its request and closed its side still gets its answer.
    this.#server =
      tls === undefined
        ? createTcpServer({ allowHalfOpen: true, noDelay: true }, onSocket)
        : createTlsServer({ allowHalfOpen: true, noDelay: true, handshakeTimeout: HANDSHAKE_MS, ...tls }, onSocket);
    this.#server.maxConnections = maxConnections;
    // A handshake that failed is the client's affair.
    this.#server.on("tlsClientError", () => undefined);
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
  }

  /** Resolves when it listens. Rejects with the system's error. */
  listen(where: { readonly host: string; readonly port: number } | { readonly path: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(where, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** The port that was chosen. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Connections that begin from now on use these certificates. */
  renewTls(tls: TlsOptions): void {
    this.#server.setSecureContext?.(tls);
  }

  /** Takes no more connections; resolves when every request under way is answered, or after 30 seconds. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#server.close();
    for (const connection of this.#connections) connection.endIfIdle();
    if (this.#connections.size > 0) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, DRAIN_MS);
      await Promise.race([new Promise<void>((empty) => (this.#onEmpty = empty)), late]);
      clearTimeout(timer);
    }
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.destroy();
  }

  async #serve(connection: Connection): Promise<void> {
    this.#connections.add(connection);
    await connection.serve();
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #accept(socket: Socket, accepted: Accepted): void {
    // Where a certificate may be left out, one that is shown must hold all the same.
    if (socket instanceof TLSSocket && !socket.authorized && hasCertificate(socket)) {
      socket.destroy();
      return;
    }
    void this.#serve(new Connection(socket, accepted));
  }

  #check(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.check(now);
  }
}

function hasCertificate(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}
