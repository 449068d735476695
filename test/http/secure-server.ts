/** The executable with TLS, with the files in a folder where a test may replace them. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Certificate, type Certificates, makeCertificates } from "../cli/certificates.ts";
import { newFolder, type Server, startServer } from "../executable.ts";

export interface SecureServer extends AsyncDisposable {
  readonly server: Server;
  readonly made: Certificates;
  /** The authority's certificate, as PEM. */
  readonly ca: string;
  /** Paths of the certificate and the key that the server reads. */
  readonly files: Certificate;
  /** Puts another certificate and its key in their place. */
  replace(by: Certificate): void;
}

export async function startSecure(
  made: Certificates = makeCertificates(),
  lines: readonly string[] = [],
): Promise<SecureServer> {
  const folder = newFolder();
  const files = { cert: join(folder, "server.pem"), key: join(folder, "server.key") };
  const replace = (by: Certificate) => {
    copyFileSync(by.cert, files.cert);
    copyFileSync(by.key, files.key);
  };
  replace(made.server);
  const config = join(folder, "coffer.toml");
  const tls = [`tls_cert_file = "${files.cert}"`, `tls_key_file = "${files.key}"`];
  writeFileSync(config, ["[listener]", ...tls, ...lines, ""].join("\n"));
  const ca = readFileSync(made.authority.cert, "utf8");
  const server = await startServer({ args: ["--config", config, "--storage", "memory:"], ca });
  return { server, made, ca, files, replace, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
