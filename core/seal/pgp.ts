/**
 * PGP recipients of shares and tokens (RFC 4880, RFC 9580), by `openpgp`, which is loaded when the first key comes in:
 * nothing at start or unseal depends on a PGP key that was good once.
 *
 * A key is refused unless a message to it can be read by its owner and by nobody else: it must be one public key, able
 * to encrypt now (not expired, not revoked), RSA of 2048 bits at least or an elliptic curve; no DSA, no ElGamal.
 */
import type { Key } from "openpgp";
import { fromBase64, fromUtf8, utf8 } from "../encoding.ts";
import { invalid } from "../errors.ts";

/**
 * Characters of key text that are looked at: an exported key has a few thousand, one with many signatures some ten
 * thousand. Every signature is checked, and a quarter of a megabyte of costly ones took eleven seconds.
 */
const MAX_KEY_TEXT = 64 * 1024;
const MIN_RSA_BITS = 2048;
/** Each of the key's own is verified, some in JavaScript: on brainpoolP512r1 that takes 13 ms. */
const MAX_SIGNATURES = 32;

/** A public key that was checked. */
export interface Recipient {
  /** Lower-case hex, as gpg prints it without spaces. */
  readonly fingerprint: string;
  /** The key itself, binary. */
  readonly key: Uint8Array;
}

/**
 * Checks a public key: armored, base64 of the armored text, or base64 of the binary key. `now`: milliseconds since 1970.
 * Throws ApiError `invalid` that says what is wrong with the key.
 */
export async function parseRecipient(text: string, now: number): Promise<Recipient> {
  if (text.length > MAX_KEY_TEXT) throw invalid("the PGP key is too large: export it without others' signatures");
  const keys = await readKeys(text.trim());
  const [key] = keys;
  if (key === undefined) throw invalid("the PGP key could not be parsed");
  if (keys.some((each) => each.isPrivate())) {
    throw invalid("this is a private PGP key: send the public one, and keep this one to yourself");
  }
  if (keys.length > 1) throw invalid("one PGP key is needed, not several");
  await checkKey(key, new Date(now));
  return { fingerprint: key.getFingerprint().toLowerCase(), key: new Uint8Array(key.write()) };
}

/** Encrypts `text` to the recipient: a binary PGP message. Throws ApiError `invalid` when the key has since expired. */
export async function encryptTo({ key: bytes }: Recipient, text: string, now: number): Promise<Uint8Array> {
  const openpgp = await import("openpgp");
  const date = new Date(now);
  const encryptionKeys = await openpgp.readKey({ binaryKey: bytes });
  await checkKey(encryptionKeys, date);
  const message = await openpgp.createMessage({ binary: utf8(text), date });
  return openpgp.encrypt({ message, encryptionKeys, format: "binary", date });
}

async function readKeys(text: string): Promise<Key[]> {
  const openpgp = await import("openpgp");
  try {
    const armored = armoredOf(text);
    if (armored !== undefined) {
      // One by one: of several blocks in one text the library reads the first and says nothing of the others.
      const blocks = armored.split(/(?=^-----BEGIN )/m);
      return (await Promise.all(blocks.map((armoredKeys) => openpgp.readKeys({ armoredKeys })))).flat();
    }
    const binaryKeys = fromBase64(text.replaceAll(/\s/g, ""));
    return binaryKeys === undefined ? [] : await openpgp.readKeys({ binaryKeys });
  } catch {
    // The library's message may quote the input.
    return [];
  }
}

function armoredOf(text: string): string | undefined {
  if (text.startsWith("-----BEGIN")) return text;
  const decoded = fromBase64(text.replaceAll(/\s/g, ""));
  if (decoded === undefined) return undefined;
  try {
    const inner = fromUtf8(decoded).trim();
    return inner.startsWith("-----BEGIN") ? inner : undefined;
  } catch {
    return undefined;
  }
}

async function checkKey(key: Key, now: Date): Promise<void> {
  // First, for what follows verifies the key's own signatures: with a DSA key of its maker's size that takes minutes.
  refuseWeak(key);
  const { enums } = await import("openpgp");
  if (key.toPacketList().filterByTag(enums.packet.signature).length > MAX_SIGNATURES) {
    throw invalid("the PGP key has too many signatures: export it without others' signatures");
  }
  if (await key.isRevoked(undefined, undefined, now)) throw invalid("the PGP key is revoked");
  if (key.getCreationTime() > now) throw invalid("the PGP key is not valid yet: its clock or this server's is wrong");
  const expires = await key.getExpirationTime();
  if (expires === null) throw invalid("the PGP key has no signature of its own that can be accepted");
  if (expires instanceof Date && expires <= now) throw invalid("the PGP key has expired");
  try {
    await key.getEncryptionKey(undefined, now);
  } catch {
    // The library says only that it found none: a weak subkey is the likelier reason and the better thing to say.
    for (const subkey of key.getSubkeys()) refuseWeak(subkey);
    throw invalid(
      "the PGP key cannot encrypt: it only signs, or its encryption subkey has expired, is revoked or of an unknown kind",
    );
  }
}

function refuseWeak(packet: Pick<Key, "getAlgorithmInfo">): void {
  const { algorithm, bits = MIN_RSA_BITS } = packet.getAlgorithmInfo();
  if (algorithm === "dsa" || algorithm === "elgamal") {
    throw invalid("the PGP key uses DSA or ElGamal: make an RSA or Curve25519 key");
  }
  if (bits < MIN_RSA_BITS) throw invalid(`the PGP key is too weak: RSA needs ${MIN_RSA_BITS} bits`);
}
