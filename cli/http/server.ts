/** The sockets: accepts connections up to a limit, looks after their time, and stops without dropping a request. */
import type { Server as TlsServer, TlsOptions, TLSSocket } from "node:tls";
import { type Clock, systemClock } from "../../core/clock.ts";
import { Backlog } from "./backlog.ts";
import { type Accepted, Connection } from "./connection.ts";
import { Handshakes } from "./handshakes.ts";
import { Intake } from "./intake.ts";
import { Outbox } from "./outbox.ts";
import { furthestAhead } from "./sent-ahead.ts";
import { BunTransport, NodeTransport, type Receiver, type Transport } from "./transport.ts";

/** How often each connection's time is looked at. */
const CHECK_MS = 1000;
/** Bytes that come after which it is looked at who is ahead, besides. */
const LOOK_BYTES = 8 * 1024 * 1024;
/** How long a stop waits for requests that are under way. */
const DRAIN_MS = 30_000;

/** Of this machine: `port` 0 lets the system choose one. */
export type Where = { readonly host: string; readonly port: number } | { readonly path: string };

export interface HttpServerOptions extends Omit<Accepted, "isStopping" | "backlog" | "intake" | "onRead" | "now"> {
  /**
   * One beyond takes the place of the connection that is idle the longest, or else of who sends slowly; where none is, it is
   * closed at once. Over TLS as many again may be in their handshake, and have no place yet.
   */
  readonly maxConnections: number;
  /** As {@link Accepted} has it. */
  readonly onRead?: ((bytes: number) => void) | undefined;
  /** Without: in the clear. */
  readonly tls?: TlsOptions | undefined;
  /** The machine's unless told. */
  readonly clock?: Clock;
}

/** What takes connections. */
interface Sockets {
  readonly port: number;
  /** Takes no more; those that were taken go on. The runtime removes the path of a Unix socket, whoever's it is by now. */
  close(): void;
  /** Keeps the process no longer, and removes no path. */
  leave(): void;
  renewTls(tls: TlsOptions): void;
}

export class HttpServer {
  readonly #connections = new Set<Connection>();
  readonly #outbox = new Outbox();
  readonly #accepted: Accepted;
  readonly #maxConnections: number;
  readonly #clock: Clock;
  readonly #stopChecks: () => void;
  #sockets: Sockets | undefined;
  readonly #handshakes: Handshakes;
  #isStopping = false;
  /** Bytes that have come since it was looked at who is ahead. */
  #come = 0;
  /** When those that are under way at a stop are cut. */
  #stopEnd = Infinity;
  #onEmpty: (() => void) | undefined;

  private constructor(options: HttpServerOptions) {
    const { app, addressOf, onRefused, onRead, maxConnections, clock = systemClock } = options;
    this.#clock = clock;
    this.#accepted = {
      app,
      addressOf,
      onRefused,
      isStopping: () => this.#isStopping,
      backlog: new Backlog(clock),
      intake: new Intake(),
      onRead: (bytes) => {
        onRead?.(bytes);
        this.#came(bytes);
      },
      now: () => clock.monotonic(),
    };
    this.#handshakes = new Handshakes(maxConnections, (why, address) => onRefused?.("handshake", why, address));
    this.#maxConnections = maxConnections;
    this.#stopChecks = clock.every(CHECK_MS, () => this.#check());
  }

  /** Resolves when it listens. Rejects with the system's error. */
  static async listen(where: Where, options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(options);
    try {
      server.#sockets =
        options.tls === undefined ? server.#inTheClear(where) : await server.#overTls(where, options.tls);
      return server;
    } catch (error) {
      server.#stopChecks();
      throw error;
    }
  }

  /** The port that was chosen. */
  get port(): number {
    return this.#sockets?.port ?? 0;
  }

  /** Connections that begin from now on use these certificates. */
  renewTls(tls: TlsOptions): void {
    this.#sockets?.renewTls(tls);
  }

  /**
   * Takes no more connections; resolves when every request under way is answered, or after 30 seconds. `leavesPath`: that
   * of its Unix socket has become another one's.
   */
  async stop({ leavesPath = false }: { readonly leavesPath?: boolean } = {}): Promise<void> {
    this.#isStopping = true;
    if (leavesPath) this.#sockets?.leave();
    else this.#sockets?.close();
    for (const connection of this.#connections) connection.endIfIdle();
    this.#stopEnd = this.#clock.monotonic() + DRAIN_MS;
    if (this.#connections.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    this.#stopChecks();
  }

  #inTheClear(where: Where): Sockets {
    // Half-open, here and below: a client that has sent its request and closed its side still gets its answer.
    const common = {
      allowHalfOpen: true,
      exclusive: true,
      socket: {
        open: (socket: Bun.Socket<Attached>) => this.#attach(socket),
        data: ({ data: { receiver } }: Bun.Socket<Attached>, chunk: Buffer) => receiver?.onData(chunk),
        end: ({ data: { receiver } }: Bun.Socket<Attached>) => receiver?.onEnd(),
        drain: ({ data: { transport } }: Bun.Socket<Attached>) => transport?.flush(),
        // What went wrong is the client's affair; `close` follows.
        error: () => undefined,
        close: ({ data: { transport } }: Bun.Socket<Attached>) => transport?.closed(),
      },
    } as const;
    const listener =
      "path" in where
        ? Bun.listen<Attached>({ ...common, unix: where.path })
        : Bun.listen<Attached>({ ...common, hostname: where.host, port: where.port });
    return {
      port: "port" in listener ? listener.port : 0,
      close: () => listener.stop(),
      leave: () => listener.unref(),
      renewTls: () => undefined,
    };
  }

  #attach(socket: Bun.Socket<Attached>): void {
    const attached: Attached = {};
    socket.data = attached;
    if (!this.#admits(socket)) {
      socket.terminate();
      return;
    }
    this.#accept((receiver) => {
      attached.receiver = receiver;
      return (attached.transport = new BunTransport(socket, receiver, this.#outbox));
    });
  }

  /** Loaded only for TLS: it takes memory. */
  async #overTls(where: Where, options: TlsOptions): Promise<Sockets> {
    const { createServer } = await import("node:tls");
    const common = { allowHalfOpen: true, noDelay: true };
    const server: TlsServer = createServer({ ...common, ...options }, (socket) => {
      if (!this.#handshakes.done(socket)) return;
      // Where a certificate may be left out, one that is shown must hold all the same.
      if (!socket.authorized && hasCertificate(socket)) {
        this.#accepted.onRefused?.("handshake", "the client's certificate does not hold", socket.remoteAddress);
        socket.destroy();
      } else if (this.#admits(socket)) this.#accept((receiver) => new NodeTransport(socket, receiver));
      else socket.destroy();
    });
    server.on("connection", (socket: TLSSocket) => this.#awaitHandshake(socket));
    // One that fails is the client's affair; "close" follows, which the handshakes listen to.
    server.on("tlsClientError", (_, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(where, () => {
        server.off("error", reject);
        resolve();
      });
    });
    const address = server.address();
    return {
      port: typeof address === "object" && address !== null ? address.port : 0,
      close: () => void server.close(),
      leave: () => void server.unref(),
      renewTls: (tls) => server.setSecureContext(tls),
    };
  }

  #awaitHandshake(socket: TLSSocket): void {
    if (this.#isStopping) socket.destroy();
    else this.#handshakes.begin(socket, this.#clock.monotonic());
  }

  /** Whoever comes while the server stops comes too late. */
  #admits(socket: { readonly remoteAddress?: string | undefined }): boolean {
    if (this.#isStopping) return false;
    if (this.#connections.size < this.#maxConnections || this.#makeRoom()) return true;
    this.#accepted.onRefused?.("full", "there are too many connections", socket.remoteAddress || undefined);
    return false;
  }

  /**
   * Ends the connection that has been idle the longest, or else sends slowly for the longest: a client that only holds
   * connections keeps nobody out.
   */
  #makeRoom(): boolean {
    const now = this.#clock.monotonic();
    const idle = this.#longest(({ idleSince }) => idleSince);
    const slow = idle === undefined ? this.#longest((connection) => connection.slowSince(now)) : undefined;
    const one = idle ?? slow;
    if (one === undefined) return false;
    // It goes a moment later, and must not count or be found again until then.
    this.#connections.delete(one);
    if (one === idle) one.endIfIdle();
    else one.cut("it was slow to send, and there was no other place", "full");
    return true;
  }

  #longest(sinceOf: (connection: Connection) => number | undefined): Connection | undefined {
    let longest: Connection | undefined;
    let least = Infinity;
    for (const connection of this.#connections) {
      const since = sinceOf(connection) ?? Infinity;
      if (since < least) [longest, least] = [connection, since];
    }
    return longest;
  }

  #accept(connect: (receiver: Receiver) => Transport): void {
    void this.#serve(new Connection(connect, this.#accepted));
  }

  async #serve(connection: Connection): Promise<void> {
    this.#connections.add(connection);
    await connection.serve();
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #came(bytes: number): void {
    this.#come += bytes;
    if (this.#come >= LOOK_BYTES) this.#cutFurthestAhead();
  }

  #cutFurthestAhead(): void {
    this.#come = 0;
    for (const connection of furthestAhead(this.#connections))
      connection.cut("what was sent waits for answers that were not taken");
  }

  #check(): void {
    const now = this.#clock.monotonic();
    for (const connection of this.#connections) connection.check(now);
    this.#cutFurthestAhead();
    this.#handshakes.check(now);
    if (now < this.#stopEnd) return;
    for (const connection of this.#connections) connection.destroy();
    this.#onEmpty?.();
  }
}

/** What a socket of the runtime carries. */
interface Attached {
  receiver?: Receiver;
  transport?: BunTransport;
}

function hasCertificate(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}
