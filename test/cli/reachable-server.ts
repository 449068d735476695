/**
 * The servers that the tests of the client's connection talk to: the executable, over TLS, over a Unix socket or in the
 * clear, with one secret, {@link SECRET}, which it hands out to {@link TOKEN}. In dev mode, which is unsealed at once.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, type Server, startServer } from "../executable.ts";
import { type Certificate, pemOf } from "./certificates.ts";

export const TOKEN = "the-token-of-the-connection-tests";

/** As `coffer kv get -field=user secret/app` prints it. */
export const SECRET = "app";

interface TlsOptions {
  readonly certificate: Certificate;
  /** The path of the authority's certificate that clients must have theirs from, and one that is. */
  readonly clients?: { readonly authority: string; readonly one: Certificate };
}

/** Listens on a free port of 127.0.0.1; without `tls` in the clear. */
export async function serveOnPort(tls?: TlsOptions): Promise<Server> {
  const lines: string[] = [];
  if (tls !== undefined)
    lines.push(`tls_cert_file = "${tls.certificate.cert}"`, `tls_key_file = "${tls.certificate.key}"`);
  if (tls?.clients !== undefined)
    lines.push(`tls_client_ca_file = "${tls.clients.authority}"`, "tls_require_and_verify_client_cert = true");
  const server = await start(lines);
  // Whatever is wrong with its certificate: this is not what is tested.
  const shown = tls?.clients === undefined ? {} : pemOf(tls.clients.one);
  await putSecret(server.url, tls === undefined ? {} : { tls: { rejectUnauthorized: false, ...shown } });
  return server;
}

/** Listens on a Unix socket in a new folder. */
export async function serveOnSocket(): Promise<Server> {
  const path = join(newFolder(), "coffer.sock");
  const server = await start([], `unix://${path}`);
  await putSecret("http://localhost", { unix: path });
  return server;
}

function start(listener: readonly string[], listen?: string): Promise<Server> {
  const config = join(newFolder(), "coffer.toml");
  writeFileSync(config, ["[listener]", ...listener, ""].join("\n"));
  const args = ["--dev", "--dev-root-token-id", TOKEN, "--config", config];
  return startServer(listen === undefined ? { args } : { args, listen });
}

async function putSecret(url: string, way: BunFetchRequestInit): Promise<void> {
  const { status } = await fetch(`${url}/v1/secret/app`, {
    ...way,
    method: "PUT",
    headers: { "x-vault-token": TOKEN },
    body: JSON.stringify({ user: SECRET }),
  });
  if (status !== 204) throw new Error(`the server took no secret: ${status}`);
}
