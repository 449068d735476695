/**
 * PGP public keys that come in files: armored, binary, or base64 of either. They are parsed here and not only by the
 * server, so that a private key named by mistake never leaves this machine, and so that what the server says of a key
 * can be compared with the key itself.
 */

import { readFile } from "node:fs/promises";
import type { Key } from "openpgp";
import { fromBase64, fromUtf8, toBase64 } from "../core/encoding.ts";
import { CliError, fileProblem } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

const EXPORT = "export the holder's public key: gpg --export --armor NAME > key.asc";

export interface PublicKey {
  /** Lower-case hex. */
  readonly fingerprint: string;
  /** Of the binary key. */
  readonly base64: string;
}

/** Reads one public key; `stdin` is read for `-` where it is given. Throws CliError that says what the file is instead. */
export async function readPublicKey(path: string, stdin?: Terminal["stdin"]): Promise<PublicKey> {
  if (path.startsWith("keybase:")) throw new CliError("keys are not fetched from keybase.io", EXPORT);
  const isStdin = path === "-" && stdin !== undefined;
  const source = isStdin ? "standard input" : path;
  const keys = await parseKeys(isStdin ? await stdin.read() : await readKeyFile(path));
  const [key] = keys;
  if (key === undefined) throw new CliError(`${source} holds no PGP public key`, EXPORT);
  if (keys.some((each) => each.isPrivate())) {
    throw new CliError(`${source} holds a private PGP key`, [EXPORT, "nothing was sent; keep this one to yourself"]);
  }
  if (keys.length > 1) throw new CliError(`${source} holds several PGP keys`, EXPORT);
  return { fingerprint: key.getFingerprint().toLowerCase(), base64: toBase64(key.write()) };
}

async function readKeyFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${fileProblem(error)}`, EXPORT, { cause: error });
  }
}

async function parseKeys(bytes: Uint8Array): Promise<Key[]> {
  const openpgp = await import("openpgp");
  const content = unwrap(bytes);
  try {
    if (typeof content !== "string") return await openpgp.readKeys({ binaryKeys: content });
    // The library reads the first block only.
    const blocks = content.split(/(?=-----BEGIN PGP )/).filter((block) => block.startsWith("-----BEGIN PGP "));
    return (await Promise.all(blocks.map((armoredKeys) => openpgp.readKeys({ armoredKeys })))).flat();
  } catch {
    // Its message may quote the input.
    return [];
  }
}

/** The armored text, or the bytes, below any base64. */
function unwrap(bytes: Uint8Array): string | Uint8Array {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return bytes;
  }
  if (text.includes("-----BEGIN PGP ")) return text;
  const decoded = fromBase64(text.replaceAll(/\s/g, ""));
  return decoded === undefined || decoded.length === 0 ? bytes : unwrap(decoded);
}
