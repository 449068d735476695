/** The port or socket: hands requests to the app, and stops without dropping any that it has begun to read. */
import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { plainAddress } from "../core/access/ip-address.ts";
import type { HeaderValues } from "../core/http/incoming.ts";
import type { App } from "./http/connection.ts";
import { TrustedProxies } from "./http/forwarded.ts";
import type { OnRefused } from "./http/refusal.ts";
import { HttpServer, type HttpServerOptions } from "./http/server.ts";
import type { ListenAddress } from "./listen-address.ts";
import { SocketFile } from "./socket-file.ts";
import type { TlsFiles } from "./tls-files.ts";

export interface ListenOptions {
  readonly address: ListenAddress;
  /** Of a Unix socket. */
  readonly socketMode: number;
  /** undefined: in the clear. */
  readonly tls: TlsFiles | undefined;
  /** As {@link TrustedProxies} takes them. */
  readonly trustedProxies: readonly string[];
  readonly maxConnections: number;
  /** Told of connections and requests that the app never gets. */
  readonly onRefused: OnRefused;
  /** Told of bytes that have come, once for each 64 KiB of a connection. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

export interface Listener {
  /** Where clients find it, with the port that was chosen if 0 was asked for. */
  readonly url: string;
  /** Reads the certificates again, for connections that begin from now on. Rejects with CliError: nothing has changed. */
  reload(): Promise<void>;
  /** Takes no more connections and resolves when every request under way is answered, or after 30 seconds. */
  stop(): Promise<void>;
}

/** Listens. Rejects with the system's error when the address cannot be had, with CliError for certificates. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const { address, tls, maxConnections, onRefused, onRead } = options;
  const trustedProxies = new TrustedProxies(options.trustedProxies);
  const http = {
    app,
    maxConnections,
    onRefused,
    onRead,
    addressOf: (socket: string, headers: HeaderValues) => trustedProxies.clientOf(plainAddress(socket), headers),
    tls: tls && (await import("./tls-files.ts")).readTls(tls),
  };
  const { server, file } =
    "path" in address
      ? await listenOnSocket(address.path, options.socketMode, http)
      : { server: await HttpServer.listen(address, http) };
  return {
    url: urlOf(address, server.port, tls !== undefined),
    async reload() {
      if (tls !== undefined) server.renewTls((await import("./tls-files.ts")).readTls(tls));
    },
    stop: () => server.stop({ leavesPath: file?.isInPlace() === false }),
  };
}

function urlOf(address: ListenAddress, port: number, isTls: boolean): string {
  if ("path" in address) return `unix://${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${isTls ? "https" : "http"}://${host}:${port}`;
}

/** A socket that its server left behind when it was killed is taken away; one that a server answers on is not. */
async function listenOnSocket(
  path: string,
  mode: number,
  http: HttpServerOptions,
): Promise<{ server: HttpServer; file: SocketFile }> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true && !(await isServed(path))) rmSync(path);
  // From its first moment on it is open to nobody else; then to whom it is meant for.
  const umask = process.umask(0o177);
  try {
    const server = await HttpServer.listen({ path }, http);
    try {
      return { server, file: new SocketFile(path, mode) };
    } catch (error) {
      await server.stop({ leavesPath: true });
      throw error;
    }
  } finally {
    process.umask(umask);
  }
}

function isServed(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => resolve(true));
  socket.on("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
