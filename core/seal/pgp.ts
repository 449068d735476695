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
/** What gpg makes at the most. Verifying a signature of a larger key, or with a larger exponent, can take minutes. */
const MAX_RSA_BITS = 8192;
const MAX_RSA_EXPONENT_BYTES = 4;
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
  if (text.length > MAX_KEY_TEXT)
    throw invalid("the PGP key is too large: export it by gpg --export-options export-minimal");
  const keys = await readKeys(text.trim());
  const [key] = keys;
  if (key === undefined) throw invalid("the PGP key could not be parsed");
  if (keys.some((each) => each.isPrivate())) {
    throw invalid("this is a private PGP key: send the public one, and keep this one to yourself");
  }
  if (keys.length > 1) throw invalid("one PGP key is needed, not several");
  await checkKey(key, new Date(now));
  const recipient = { fingerprint: key.getFingerprint().toLowerCase(), key: new Uint8Array(key.write()) };
  // What looks right may still be no key: better found now than when the last custodian has given a share.
  await encryptTo(recipient, "", now);
  return recipient;
}

/** Encrypts `text` to the recipient: a binary PGP message. Throws ApiError `invalid` when the key has since expired. */
export async function encryptTo({ key: bytes }: Recipient, text: string, now: number): Promise<Uint8Array> {
  const openpgp = await import("openpgp");
  const date = new Date(now);
  const encryptionKeys = await openpgp.readKey({ binaryKey: bytes });
  await checkKey(encryptionKeys, date);
  const message = await openpgp.createMessage({ binary: utf8(text), date });
  try {
    return await openpgp.encrypt({ message, encryptionKeys, format: "binary", date });
  } catch {
    throw invalid("nothing can be encrypted to the PGP key: its numbers are not those of a key");
  }
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
  for (const packet of [key, ...key.getSubkeys()]) refuseCostly(packet);
  refuseWeak(key);
  if ((await countVerified(key)) > MAX_SIGNATURES) {
    throw invalid(
      "the PGP key has too many signatures of its own: gpg --export-options export-minimal leaves the last ones",
    );
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

/** How many signatures are verified: all but others' certifications of who the key belongs to. */
async function countVerified(key: Key): Promise<number> {
  const { enums, SignaturePacket } = await import("openpgp");
  const { certGeneric, certPersona, certCasual, certPositive } = enums.signature;
  const certifications: readonly unknown[] = [certGeneric, certPersona, certCasual, certPositive];
  const isOthers = (packet: InstanceType<typeof SignaturePacket>) =>
    certifications.includes(packet.signatureType) && !packet.issuerKeyID.equals(key.getKeyID());
  return key.toPacketList().filter((packet) => packet instanceof SignaturePacket && !isOthers(packet)).length;
}

/** RSA that takes long to compute with. Nothing may be verified before this. */
function refuseCostly({ keyPacket }: { readonly keyPacket: { readonly publicParams: object | null } }): void {
  const { n, e } = (keyPacket.publicParams ?? {}) as { readonly n?: Uint8Array; readonly e?: Uint8Array };
  if (n === undefined || e === undefined) return;
  if (n.length * 8 > MAX_RSA_BITS)
    throw invalid(`the PGP key is too large: RSA takes ${MAX_RSA_BITS} bits at the most`);
  if (e.length > MAX_RSA_EXPONENT_BYTES) throw invalid("the PGP key has an RSA exponent that no program makes");
}

function refuseWeak(packet: Pick<Key, "getAlgorithmInfo">): void {
  const { algorithm, bits = MIN_RSA_BITS } = packet.getAlgorithmInfo();
  if (algorithm === "dsa" || algorithm === "elgamal") {
    throw invalid("the PGP key uses DSA or ElGamal: make an RSA or Curve25519 key");
  }
  if (bits < MIN_RSA_BITS) throw invalid(`the PGP key is too weak: RSA needs ${MIN_RSA_BITS} bits`);
}
