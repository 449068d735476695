/** The port or socket: hands requests to the app, and stops without dropping any that it has begun to read. */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { App } from "./http/connection.ts";
import { plainAddress, TrustedProxies } from "./http/forwarded.ts";
import { HttpServer } from "./http/server.ts";
import type { ListenAddress } from "./listen-address.ts";
import { readTls, type TlsFiles } from "./tls-files.ts";

export interface ListenOptions {
  readonly address: ListenAddress;
  /** Of a Unix socket. */
  readonly socketMode: number;
  /** undefined: in the clear. */
  readonly tls: TlsFiles | undefined;
  /** As {@link TrustedProxies} takes them. */
  readonly trustedProxies: readonly string[];
  readonly maxConnections: number;
}

export interface Listener {
  /** Where clients find it, with the port that was chosen if 0 was asked for. */
  readonly url: string;
  /** Reads the certificates again, for connections that begin from now on. Throws CliError, and then nothing changes. */
  reload(): void;
  /** Takes no more connections and resolves when every request under way is answered, or after 30 seconds. */
  stop(): Promise<void>;
}

/** Listens. Rejects with the system's error when the address cannot be had, with CliError for certificates. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const { address, tls, maxConnections } = options;
  const trustedProxies = new TrustedProxies(options.trustedProxies);
  const server = new HttpServer({
    app,
    maxConnections,
    addressOf: (socket, headers) => {
      const { remoteAddress } = socket;
      return remoteAddress === undefined ? undefined : trustedProxies.clientOf(plainAddress(remoteAddress), headers);
    },
    tls: tls && readTls(tls),
  });
  if ("path" in address) await listenOnSocket(server, address.path, options.socketMode);
  else await server.listen(address);
  return {
    url: urlOf(address, server.port, tls !== undefined),
    reload() {
      if (tls !== undefined) server.renewTls(readTls(tls));
    },
    async stop() {
      await server.stop();
      if ("path" in address) rmSync(address.path, { force: true });
    },
  };
}

function urlOf(address: ListenAddress, port: number, isTls: boolean): string {
  if ("path" in address) return `unix://${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${isTls ? "https" : "http"}://${host}:${port}`;
}

/** A socket that its server left behind when it was killed is taken away; one that a server answers on is not. */
async function listenOnSocket(server: HttpServer, path: string, mode: number): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true && !(await isServed(path))) rmSync(path);
  // From its first moment on it is open to nobody else; then to whom it is meant for.
  const umask = process.umask(0o177);
  const listening = server.listen({ path });
  process.umask(umask);
  await listening;
  chmodSync(path, mode);
}

function isServed(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => resolve(true));
  socket.on("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
