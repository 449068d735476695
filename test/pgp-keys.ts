/**
 * PGP keys of every kind that matters, made by a real gpg, and gpg itself to decrypt with them. A key is made once in a
 * run, in a folder of its own that is gone afterwards (which ends gpg's agent); its private half stays in this process.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "./executable.ts";

/** When keys are made: before the tests' own clock and before the machine's. For gpg time stands still then (`!`). */
const MADE_AT = "20250601T000000!";
/** When something is done to them afterwards. */
const LATER = "20250602T000000!";
/** So long before that an expiry of a day has passed. */
const LONG_AGO = "20240101T000000!";

export interface PgpKey {
  /** Lower-case hex. */
  readonly fingerprint: string;
  readonly armored: string;
  readonly binary: Uint8Array;
  /** The private half, armored, without a passphrase. */
  readonly secret: string;
}

interface Recipe {
  /** Lines of gpg's parameter file; the name is added. */
  readonly parameters: readonly string[];
  readonly at?: string;
  readonly options?: readonly string[];
  /** What is done to it after it was made. */
  readonly after?: (gpg: Gpg, fingerprint: string) => Promise<unknown>;
}

const SIGNS = "Key-Usage: sign,cert";
const ENCRYPTS = "Subkey-Usage: encrypt";
const ED25519 = ["Key-Type: EDDSA", "Key-Curve: ed25519", SIGNS];
const CV25519 = ["Subkey-Type: ECDH", "Subkey-Curve: cv25519", ENCRYPTS];
const addCv25519: Recipe["after"] = (gpg, fingerprint) =>
  gpg.run(["--faked-system-time", LATER, "--quick-add-key", fingerprint, "cv25519", "encr", "never"]);

function rsa(bits: number, subkeyBits = bits): Recipe {
  const subkey = ["Subkey-Type: RSA", `Subkey-Length: ${subkeyBits}`, ENCRYPTS];
  return { parameters: ["Key-Type: RSA", `Key-Length: ${bits}`, SIGNS, ...subkey] };
}

function curve(name: string): Recipe {
  const subkey = ["Subkey-Type: ECDH", `Subkey-Curve: ${name}`, ENCRYPTS];
  return { parameters: ["Key-Type: ECDSA", `Key-Curve: ${name}`, SIGNS, ...subkey] };
}

const RECIPES = {
  rsa2048: rsa(2048),
  rsa3072: rsa(3072),
  rsa4096: rsa(4096),
  curve25519: { parameters: [...ED25519, ...CV25519] },
  nistp256: curve("nistp256"),
  nistp384: curve("nistp384"),
  nistp521: curve("nistp521"),
  brainpoolP256r1: curve("brainpoolP256r1"),
  brainpoolP384r1: curve("brainpoolP384r1"),
  brainpoolP512r1: curve("brainpoolP512r1"),
  secp256k1: curve("secp256k1"),
  /** The primary key itself encrypts, as keys from before subkeys do. */
  "rsa2048 without a subkey": { parameters: ["Key-Type: RSA", "Key-Length: 2048", "Key-Usage: sign,cert,encrypt"] },
  "several names": {
    parameters: [...ED25519, ...CV25519],
    after: (gpg, fingerprint) =>
      gpg.run(["--faked-system-time", LATER, "--quick-add-uid", fingerprint, "Ünï Cödé 鍵 <u@example.org>"]),
  },
  "SHA-1 self-signature": { ...rsa(2048), options: ["--cert-digest-algo", "SHA1"] },
  "SHA-1 self-signature on ed25519": { parameters: [...ED25519, ...CV25519], options: ["--cert-digest-algo", "SHA1"] },
  "expired subkey and a valid one": {
    parameters: ED25519,
    at: LONG_AGO,
    async after(gpg, fingerprint) {
      await gpg.run(["--faked-system-time", LONG_AGO, "--quick-add-key", fingerprint, "cv25519", "encr", "1d"]);
      await addCv25519(gpg, fingerprint);
    },
  },
  "valid subkey and a newer one that has expired": {
    parameters: ED25519,
    at: LONG_AGO,
    async after(gpg, fingerprint) {
      await gpg.run(["--faked-system-time", LONG_AGO, "--quick-add-key", fingerprint, "cv25519", "encr", "never"]);
      await gpg.run(["--faked-system-time", LATER, "--quick-add-key", fingerprint, "cv25519", "encr", "1d"]);
    },
  },
  "revoked subkey and a valid one": {
    parameters: [...ED25519, ...CV25519],
    at: LONG_AGO,
    async after(gpg, fingerprint) {
      await revokeSubkey(gpg, fingerprint);
      await addCv25519(gpg, fingerprint);
    },
  },
  "expires in 2030": { parameters: [...ED25519, ...CV25519, "Expire-Date: 20300101T000000"] },

  "sign-only": { parameters: ED25519 },
  expired: { parameters: [...ED25519, ...CV25519, "Expire-Date: 1d"], at: LONG_AGO },
  "expired subkey": {
    parameters: ED25519,
    at: LONG_AGO,
    after: (gpg, fingerprint) =>
      gpg.run(["--faked-system-time", LONG_AGO, "--quick-add-key", fingerprint, "cv25519", "encr", "1d"]),
  },
  revoked: { parameters: [...ED25519, ...CV25519], after: revoke },
  "revoked subkey": { parameters: [...ED25519, ...CV25519], after: revokeSubkey },
  "DSA and ElGamal": {
    parameters: ["Key-Type: DSA", "Key-Length: 2048", SIGNS, "Subkey-Type: ELG-E", "Subkey-Length: 2048", ENCRYPTS],
  },
  "ElGamal subkey": { parameters: [...ED25519, "Subkey-Type: ELG-E", "Subkey-Length: 2048", ENCRYPTS] },
  rsa1024: rsa(1024),
  "rsa1024 subkey": rsa(2048, 1024),
  "made in 2035": { parameters: [...ED25519, ...CV25519], at: "20350101T000000!" },
} as const satisfies Readonly<Record<string, Recipe>>;

export type KeyKind = keyof typeof RECIPES;

/** The kinds to which a share can be encrypted. */
export const GOOD_KINDS = [
  "rsa2048",
  "rsa3072",
  "rsa4096",
  "curve25519",
  "nistp256",
  "nistp384",
  "nistp521",
  "brainpoolP256r1",
  "brainpoolP384r1",
  "brainpoolP512r1",
  "rsa2048 without a subkey",
  "several names",
  "SHA-1 self-signature",
  "expired subkey and a valid one",
  "valid subkey and a newer one that has expired",
  "revoked subkey and a valid one",
  "expires in 2030",
] as const satisfies readonly KeyKind[];

const made = new Map<KeyKind, Promise<PgpKey>>();

/** The key of that kind; made when first asked for. */
export function pgpKey(kind: KeyKind): Promise<PgpKey> {
  const known = made.get(kind) ?? make(kind, RECIPES[kind]);
  made.set(kind, known);
  return known;
}

/** gpg with a keyring of its own. Disposing of it removes the keyring and ends its agent. */
export interface Gpg extends AsyncDisposable {
  readonly home: string;
  /** What it writes. Throws when it fails, with what it says. */
  run(args: readonly string[], input?: string | Uint8Array): Promise<Uint8Array>;
  /** The plaintext's text of a binary message. */
  decrypt(message: Uint8Array): Promise<string>;
}

/** A gpg that has these keys, private or public, armored. */
export async function openGpg(...keys: readonly string[]): Promise<Gpg> {
  const home = newFolder();
  const run: Gpg["run"] = async (args, input = "") => {
    const child = Bun.spawn(
      [
        "gpg",
        "--homedir",
        home,
        "--quiet",
        "--no-tty",
        "--batch",
        "--yes",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
        ...args,
      ],
      {
        stdin: new Blob([typeof input === "string" ? input : new Uint8Array(input)]),
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const [output, said, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
    if (code !== 0) throw new Error(`gpg ${args.join(" ")} ended with ${code}: ${said}`);
    return output;
  };
  if (keys.length > 0) await run(["--import"], keys.join("\n"));
  return {
    home,
    run,
    decrypt: async (message) => new TextDecoder().decode(await run(["--decrypt"], message)),
    [Symbol.asyncDispose]: async () => rmSync(home, { recursive: true, force: true }),
  };
}

async function make(kind: KeyKind, { parameters, at = MADE_AT, options = [], after }: Recipe): Promise<PgpKey> {
  await using gpg = await openGpg();
  const lines = ["%no-protection", ...parameters, `Name-Real: ${kind}`];
  if (!parameters.some((line) => line.startsWith("Expire-Date"))) lines.push("Expire-Date: 0");
  await gpg.run(["--faked-system-time", at, ...options, "--gen-key"], `${lines.join("\n")}\n%commit\n`);
  const fingerprint = await fingerprintOf(gpg);
  await after?.(gpg, fingerprint);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    fingerprint: fingerprint.toLowerCase(),
    armored: text(await gpg.run(["--armor", "--export"])),
    binary: await gpg.run(["--export"]),
    secret: text(await gpg.run(["--armor", "--export-secret-keys"])),
  };
}

async function fingerprintOf(gpg: Gpg): Promise<string> {
  const listed = new TextDecoder().decode(await gpg.run(["--with-colons", "--list-keys"]));
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1];
  if (fingerprint === undefined) throw new Error("gpg made no key");
  return fingerprint;
}

/** By the certificate that gpg makes along with a key; a colon in it keeps it from being used by mistake. */
async function revoke(gpg: Gpg): Promise<void> {
  const folder = join(gpg.home, "openpgp-revocs.d");
  const [name = ""] = readdirSync(folder);
  await gpg.run(["--import"], readFileSync(join(folder, name), "utf8").replace(":-----BEGIN", "-----BEGIN"));
}

async function revokeSubkey(gpg: Gpg, fingerprint: string): Promise<void> {
  const answers = "key 1\nrevkey\ny\n0\n\ny\nsave\n";
  await gpg.run(["--faked-system-time", LATER, "--command-fd", "0", "--no-batch", "--edit-key", fingerprint], answers);
}
