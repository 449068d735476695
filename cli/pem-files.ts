/**
 * Certificates and keys in files. What is wrong with one is found here and said by its name; the runtime would only
 * report that no connection could be made.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Setting } from "./environment.ts";
import { CliError, fileProblem } from "./errors.ts";

/** Where the certificates of trusted authorities are. */
export interface Authority extends Setting {
  readonly kind: "file" | "folder";
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const WHICH = "name a file in PEM form that this user may read";

/** The certificates that a file or the files of a folder hold, in PEM form. Rejects with CliError when there is none. */
export async function readAuthority({ kind, value, source }: Authority): Promise<string[]> {
  const paths = kind === "file" ? [value] : await filesIn(value, source);
  // Folders of certificates name each more than once.
  const found = new Set<string>();
  for (const path of paths) for (const pem of certificatesIn(await read(path, source))) found.add(pem);
  if (found.size > 0) return [...found];
  throw new CliError(
    `${source}: no certificate in ${value}`,
    "it takes certificates in PEM form, which begins with -----BEGIN CERTIFICATE-----",
  );
}

async function filesIn(folder: string, source: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(folder, entry.name));
  } catch (error) {
    throw new CliError(`${source}: cannot read the folder ${folder}: ${fileProblem(error)}`, WHICH, { cause: error });
  }
}

async function read(path: string, source: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    throw new CliError(`${source}: cannot read ${path}: ${fileProblem(error)}`, WHICH, { cause: error });
  }
}

/** The certificates in a PEM text, whatever stands around them; those that cannot be parsed are left out. */
function certificatesIn(text: string): string[] {
  return (text.match(PEM_CERTIFICATE) ?? []).filter((pem) => certificateOf(pem) !== undefined);
}

/** Whether a PEM text has at least one certificate, and each that begins in it is whole. */
export function hasWholeCertificates(text: string): boolean {
  const begun = text.split("-----BEGIN CERTIFICATE-----").length - 1;
  return begun > 0 && certificatesIn(text).length === begun;
}

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/**
 * The client's own certificate and key, as PEM texts; nothing when neither is named. Rejects with CliError when one is
 * missing, or is not what it should be, or the two do not belong together.
 */
export async function readIdentity(
  cert: Setting | undefined,
  key: Setting | undefined,
): Promise<{ readonly cert?: string; readonly key?: string }> {
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined || key === undefined) {
    const [given, missing] =
      cert === undefined ? [key?.source, "--client-cert FILE"] : [cert.source, "--client-key FILE"];
    throw new CliError(`${given} is of no use alone: a certificate and its key go together`, `add ${missing}`);
  }
  const [certText, keyText] = await Promise.all([read(cert.value, cert.source), read(key.value, key.source)]);
  const first = certificateOf(certificatesIn(certText)[0] ?? "");
  if (first === undefined) throw new CliError(`${cert.source}: no certificate in ${cert.value}`, WHICH);
  const parsed = privateKeyOf(keyText);
  if (parsed === undefined) {
    throw new CliError(
      `${key.source}: no private key in ${key.value}`,
      "it takes a key in PEM form without a passphrase: openssl pkey -in FILE -out PLAIN takes one off",
    );
  }
  if (!first.checkPrivateKey(parsed)) {
    throw new CliError(
      `the key of ${key.source} is not that of the certificate of ${cert.source}`,
      "give the two files that were made together",
    );
  }
  return { cert: certText, key: keyText };
}

function privateKeyOf(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
