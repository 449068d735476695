/** The listener's certificate, its key, and whose certificates clients may show. */
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type TlsOptions } from "node:tls";
import { CliError, fileProblem } from "./errors.ts";
import { hasWholeCertificates } from "./pem-files.ts";

export interface TlsFiles {
  /** PEM: the server's certificate, those of the authorities between behind it. */
  readonly cert: string;
  readonly key: string;
  /** PEM: authorities of client certificates; undefined: none is asked for. */
  readonly clientCa: string | undefined;
  /** Whether a client without a certificate is turned away. */
  readonly requireClientCert: boolean;
}

/**
 * Reads the files. Throws CliError when one cannot be read, is empty or cut off, as it is for a moment while it is replaced,
 * or when they do not fit together.
 */
export function readTls({ cert, key, clientCa, requireClientCert }: TlsFiles): TlsOptions {
  const keyText = read(key, "tls_key_file");
  const options: TlsOptions = {
    cert: readCertificates(cert, "tls_cert_file"),
    key: keyText,
    // Never empty: the runtime would then take certificates of whatever authorities it knows itself.
    ...(clientCa !== undefined && { ca: readCertificates(clientCa, "tls_client_ca_file"), requestCert: true }),
    rejectUnauthorized: requireClientCert,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
  };
  try {
    createPrivateKey(keyText);
    createSecureContext(options);
  } catch {
    // The library's message may quote the file.
    throw new CliError(
      `${cert} and ${key} are not a certificate and its key`,
      "both are PEM files; the key has no passphrase",
    );
  }
  return options;
}

function readCertificates(path: string, name: string): string {
  const text = read(path, name);
  if (hasWholeCertificates(text)) return text;
  throw new CliError(
    `${path} holds no certificate, or one that is not whole`,
    `${name} under [listener] names this file; it holds certificates in PEM form`,
  );
}

function read(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${fileProblem(error)}`, `${name} under [listener] names this file`, {
      cause: error,
    });
  }
}
