/**
 * The server that the tests of the client's connection talk to, over TLS, over a Unix socket or in the clear: one secret,
 * {@link SECRET}, which it hands out to {@link TOKEN}.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "../executable.ts";
import { type Certificate, pemOf } from "./certificates.ts";

export const TOKEN = "hvs.the-token-of-the-connection-tests";

/** As `coffer kv get -field=user secret/app` prints it. */
export const SECRET = "app";

export interface Reachable extends Disposable {
  /** As `-address` takes it. */
  readonly address: string;
  readonly port: number;
}

interface TlsOptions {
  readonly certificate: Certificate;
  /** The path of the authority's certificate that clients must have theirs from. */
  readonly clientAuthority?: string;
}

/** Listens on a free port of 127.0.0.1; without `tls` in the clear. */
export function serveOnPort(tls?: TlsOptions): Reachable {
  const asked =
    tls?.clientAuthority === undefined
      ? {}
      : { ca: readFileSync(tls.clientAuthority, "utf8"), requestCert: true, rejectUnauthorized: true };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: answer,
    ...(tls === undefined ? {} : { tls: { ...pemOf(tls.certificate), ...asked } }),
  });
  const port = Number(server.url.port);
  return {
    address: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** Listens on a Unix socket in a new folder. */
export function serveOnSocket(): Omit<Reachable, "port"> {
  const path = join(newFolder(), "coffer.sock");
  const server = Bun.serve({ unix: path, fetch: answer });
  return { address: `unix://${path}`, [Symbol.dispose]: () => void server.stop(true) };
}

function answer(request: Request): Response {
  if (request.headers.get("x-vault-token") !== TOKEN) {
    return Response.json({ errors: ["permission denied"] }, { status: 403 });
  }
  if (new URL(request.url).pathname !== "/v1/secret/app") return Response.json({ errors: [] }, { status: 404 });
  return Response.json({ data: { user: SECRET } });
}
