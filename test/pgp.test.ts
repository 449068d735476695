/** PGP keys of every kind that gpg makes, and those that must be refused. gpg decrypts what is encrypted here. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { decrypt, generateKey, readMessage } from "openpgp";
import { ApiError } from "../core/errors.ts";
import { encryptTo, parseRecipient } from "../core/seal/pgp.ts";
import { rejection } from "./harness.ts";
import { GOOD_KINDS, type KeyKind, openGpg, type PgpKey, pgpKey } from "./pgp-keys.ts";

setDefaultTimeout(120_000);

const NOW = Date.parse("2026-01-01T00:00:00Z");
const DAY = 24 * 3_600_000;
const PLAINTEXT = "c2hhcmU=";

const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");
const concat = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const refusal = async (text: string, now = NOW) => (await rejection(parseRecipient(text, now))).message;

describe("a key made by gpg", () => {
  // All at once and not one after the other: a large RSA key takes seconds.
  beforeAll(async () => void (await Promise.all(GOOD_KINDS.map((kind) => pgpKey(kind)))));

  test.each([...GOOD_KINDS])("%s: gpg decrypts, and the fingerprint is gpg's", async (kind) => {
    const key = await pgpKey(kind);
    const recipient = await parseRecipient(key.armored, NOW);
    expect(recipient.fingerprint).toBe(key.fingerprint);
    await using gpg = await openGpg(key.secret);
    expect(await gpg.decrypt(await encryptTo(recipient, PLAINTEXT, NOW))).toBe(PLAINTEXT);
  });

  test.each([...GOOD_KINDS])("%s: the packets are of RFC 4880, with integrity and without AEAD", async (kind) => {
    const message = await encryptTo(await parseRecipient((await pgpKey(kind)).armored, NOW), PLAINTEXT, NOW);
    const { packets } = await readMessage({ binaryMessage: message });
    const versions = packets.map((packet) => [
      (packet.constructor as unknown as { tag: number }).tag,
      (packet as unknown as { version: number }).version,
    ]);
    // 1, version 3: the session key, once. 18, version 1: data with a modification detection code (section 5.13).
    expect(versions).toEqual([
      [1, 3],
      [18, 1],
    ]);
  });
});

describe("the forms of a key", () => {
  let key: PgpKey;
  beforeAll(async () => void (key = await pgpKey("curve25519")));

  const forms: readonly (readonly [string, (key: PgpKey) => string])[] = [
    ["armored", ({ armored }) => armored],
    ["armored, with spaces around", ({ armored }) => `\n\t ${armored}\r\n `],
    ["armored, lines that end in CR LF", ({ armored }) => armored.replaceAll("\n", "\r\n")],
    ["armored, without the last line's end", ({ armored }) => armored.trim()],
    ["armored, without its checksum", ({ armored }) => armored.replace(/^=.*\n/m, "")],
    ["armored, with a comment", ({ armored }) => armored.replace("\n\n", "\nComment: Ünï Cödé\n\n")],
    ["base64 of the armored key", ({ armored }) => base64(armored)],
    ["base64 of the binary key", ({ binary }) => base64(binary)],
    ["base64 in lines", ({ binary }) => base64(binary).replaceAll(/(.{64})/g, "$1\n")],
  ];
  test.each(forms)("%s", async (_name, form) => {
    const recipient = await parseRecipient(form(key), NOW);
    expect(recipient.fingerprint).toBe(key.fingerprint);
    expect(recipient.key).toEqual((await parseRecipient(key.armored, NOW)).key);
    expect(recipient.key.constructor).toBe(Uint8Array);
  });
});

/**
 * An RSA key whose self-signature was never made. A hash that WebCrypto does not know has the library compute with
 * whatever numbers the key has.
 */
function forgedRsa(modulusBytes: number, exponent: Uint8Array): string {
  const u16 = (value: number) => Uint8Array.of(value >> 8, value & 255);
  const u32 = (value: number) => new Uint8Array([24, 16, 8, 0].map((shift) => (value >>> shift) & 255));
  const mpi = (bytes: Uint8Array) => concat(u16(8 * bytes.length - Math.clz32(bytes[0] ?? 0) + 24), bytes);
  const packet = (tag: number, body: Uint8Array) => concat(Uint8Array.of(0xc0 | tag, 255), u32(body.length), body);
  const subpacket = (type: number, data: Uint8Array) => concat(Uint8Array.of(data.length + 1, type), data);
  const modulus = new Uint8Array(modulusBytes).fill(0xc3);
  const made = u32(NOW / 1000 - 1000);
  const body = concat(Uint8Array.of(4), made, Uint8Array.of(1), mpi(modulus), mpi(exponent));
  const signedKey = concat(Uint8Array.of(0x99), u16(body.length), body);
  const fingerprint = createHash("sha1").update(signedKey).digest();
  const user = Buffer.from("a <a@b.c>");
  const hashed = concat(
    subpacket(2, made),
    subpacket(27, Uint8Array.of(0x0f)),
    subpacket(33, concat(Uint8Array.of(4), fingerprint)),
    subpacket(16, fingerprint.subarray(12)),
  );
  const SHA224 = 11;
  const head = concat(Uint8Array.of(4, 0x13, 1, SHA224), u16(hashed.length), hashed);
  const signed = concat(
    signedKey,
    Uint8Array.of(0xb4),
    u32(user.length),
    user,
    head,
    Uint8Array.of(4, 0xff),
    u32(head.length),
  );
  const digest = createHash("sha224").update(signed).digest();
  // With the exponent 1 whatever should come out can be put in (RFC 8017, section 9.2).
  const info = concat(Buffer.from("302d300d06096086480165030402040500041c", "hex"), digest);
  const padding = new Uint8Array(modulusBytes - info.length - 3).fill(0xff);
  const encoded = concat(Uint8Array.of(1), padding, Uint8Array.of(0), info);
  const signature = concat(head, u16(0), digest.subarray(0, 2), mpi(encoded));
  return base64(concat(packet(6, body), packet(13, user), packet(2, signature)));
}

describe("an RSA key that no program makes is refused before anything is computed with it", () => {
  const EXPONENT = "the PGP key has an RSA exponent that no program makes";
  const LARGE = "the PGP key is too large: RSA takes 8192 bits at the most";
  const NO_KEY = "nothing can be encrypted to the PGP key: its numbers are not those of a key";
  test.each([
    ["a large exponent", 256, new Uint8Array(256).fill(0x81), EXPONENT],
    ["a large modulus", 2048, Uint8Array.of(1, 0, 1), LARGE],
    ["a large modulus and exponent", 4096, new Uint8Array(4096).fill(0x81), LARGE],
    ["the exponent 1", 256, Uint8Array.of(1), NO_KEY],
    ["an even exponent", 256, Uint8Array.of(4), "the PGP key has no signature of its own that can be accepted"],
  ])("%s", async (_name, modulusBytes, exponent, why) => {
    const error = await rejection(parseRecipient(forgedRsa(modulusBytes, exponent), NOW));
    expect(error).toBeInstanceOf(ApiError);
    expect(error.message).toBe(why);
  });
});

describe("is refused", () => {
  const CANNOT_ENCRYPT =
    "the PGP key cannot encrypt: it only signs, or its encryption subkey has expired, is revoked or of an unknown kind";
  const WEAK = "the PGP key is too weak: RSA needs 2048 bits";
  const DSA = "the PGP key uses DSA or ElGamal: make an RSA or Curve25519 key";
  const kinds: readonly (readonly [KeyKind, string])[] = [
    ["sign-only", CANNOT_ENCRYPT],
    ["expired", "the PGP key has expired"],
    ["expired subkey", CANNOT_ENCRYPT],
    ["revoked", "the PGP key is revoked"],
    ["revoked subkey", CANNOT_ENCRYPT],
    ["rsa1024", WEAK],
    ["rsa1024 subkey", WEAK],
    ["DSA and ElGamal", DSA],
    ["ElGamal subkey", DSA],
    ["secp256k1", CANNOT_ENCRYPT],
    ["made in 2035", "the PGP key is not valid yet: its clock or this server's is wrong"],
    ["SHA-1 self-signature on ed25519", "the PGP key has no signature of its own that can be accepted"],
  ];
  beforeAll(async () => void (await Promise.all(kinds.map(([kind]) => pgpKey(kind)))));

  test.each(kinds)("%s", async (kind, why) => {
    const { armored, binary } = await pgpKey(kind);
    expect(await refusal(armored)).toBe(why);
    expect(await refusal(base64(binary))).toBe(why);
  });

  test("a private key, in any form and company", async () => {
    const { secret, armored } = await pgpKey("curve25519");
    const why = "this is a private PGP key: send the public one, and keep this one to yourself";
    for (const text of [secret, base64(secret), armored + secret, secret + armored, base64(armored + secret)]) {
      expect(await refusal(text)).toBe(why);
    }
  });

  test("two keys, in any form", async () => {
    const [one, other] = await Promise.all([pgpKey("curve25519"), pgpKey("nistp256")]);
    const texts = [
      one.armored + other.armored,
      one.armored.trim() + "\n" + other.armored,
      base64(one.armored + other.armored),
      base64(concat(one.binary, other.binary)),
      base64(concat(one.binary, one.binary)),
    ];
    for (const text of texts) expect(await refusal(text)).toBe("one PGP key is needed, not several");
  });

  test("what is no key", async () => {
    const { armored, binary } = await pgpKey("curve25519");
    const message = await encryptTo(await parseRecipient(armored, NOW), PLAINTEXT, NOW);
    const texts = [
      "",
      " \n",
      "no key",
      "keybase:somebody",
      "-----BEGIN",
      "-----BEGIN PGP PUBLIC KEY BLOCK-----",
      "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n",
      armored.replaceAll("\n", " "),
      armored.replaceAll("PUBLIC KEY BLOCK", "MESSAGE"),
      armored.slice(0, -80),
      base64(binary.subarray(0, 60)),
      base64(binary.subarray(0, -20)),
      base64(concat(binary, new TextEncoder().encode("rest"))),
      base64(binary).slice(0, -1),
      base64(message),
      base64(new Uint8Array(1000)),
      "\0".repeat(1000),
      "A".repeat(60_000),
      "-----BEGIN PGP PUBLIC KEY BLOCK-----\n".repeat(1500),
    ];
    for (const text of texts) expect(await refusal(text)).toBe("the PGP key could not be parsed");
  });

  test("a key of very many signatures, each of which would have to be verified", async () => {
    const userIDs = Array.from({ length: 40 }, (_each, index) => ({ name: `name ${index}` }));
    const { publicKey } = await generateKey({ userIDs, date: new Date(NOW - 1000) });
    expect(await refusal(publicKey)).toBe(
      "the PGP key has too many signatures of its own: gpg --export-options export-minimal leaves the last ones",
    );
  });

  test("but not for those of others, which nobody verifies", async () => {
    const date = new Date(NOW - 1000);
    const make = (name: string) => generateKey({ userIDs: [{ name }], date, format: "object" });
    const { publicKey } = await make("signed by many");
    const others = await Promise.all(Array.from({ length: 40 }, (_each, index) => make(`other ${index}`)));
    const keys = others.map(({ privateKey }) => privateKey);
    const signed = await publicKey.signPrimaryUser(keys, date);
    expect(signed.toPacketList().length).toBeGreaterThan(40);
    const { fingerprint } = await parseRecipient(signed.armor(), NOW);
    expect(fingerprint).toBe(publicKey.getFingerprint());
  });

  test("what is larger than any key, without a look at it", async () => {
    const { armored } = await pgpKey("curve25519");
    for (const text of ["A".repeat(1024 * 1024), armored + " ".repeat(64 * 1024)]) {
      expect(await refusal(text)).toBe("the PGP key is too large: export it by gpg --export-options export-minimal");
    }
  });

  test("a key whose bytes were changed, wherever that was; or it is the same key to gpg, too", async () => {
    const { binary, fingerprint, secret } = await pgpKey("curve25519");
    await using gpg = await openGpg(secret);
    for (let at = 0; at < binary.length; at += 7) {
      const changed = new Uint8Array(binary);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      const [parsed] = await Promise.allSettled([parseRecipient(base64(changed), NOW)]);
      if (parsed.status === "rejected") continue;
      // Unsigned parts of a signature, or a name's tail: the key that the share goes to is the owner's.
      expect(parsed.value.fingerprint).toBe(fingerprint);
      expect(await gpg.decrypt(await encryptTo(parsed.value, PLAINTEXT, NOW))).toBe(PLAINTEXT);
    }
  });
});

test("a key that expires is good until then, for parsing and for encrypting", async () => {
  const { armored } = await pgpKey("expires in 2030");
  const end = Date.parse("2030-01-01T00:00:00Z");
  const recipient = await parseRecipient(armored, end - DAY);
  expect(await refusal(armored, end + DAY)).toBe("the PGP key has expired");
  expect((await rejection(encryptTo(recipient, PLAINTEXT, end + DAY))).message).toBe("the PGP key has expired");
});

test("each encryption of one text is another message", async () => {
  const recipient = await parseRecipient((await pgpKey("curve25519")).armored, NOW);
  const messages = await Promise.all([1, 2, 3].map(() => encryptTo(recipient, PLAINTEXT, NOW)));
  expect(new Set(messages.map((message) => message.toHex())).size).toBe(3);
  for (const message of messages) expect(message.constructor).toBe(Uint8Array);
});

test.each([
  ["version 6, with AEAD", { type: "curve25519", config: { v6Keys: true, aeadProtect: true } }],
  ["version 6", { type: "curve25519", config: { v6Keys: true } }],
  ["curve25519 of RFC 9580", { type: "curve25519" }],
  ["curve448", { type: "curve448" }],
] as const)("keys that gpg does not have yet work, too: %s", async (_name, options) => {
  const { publicKey, privateKey } = await generateKey({
    ...options,
    userIDs: [{ name: "somebody" }],
    date: new Date(NOW - DAY),
    format: "object",
  });
  const recipient = await parseRecipient(publicKey.armor(), NOW);
  expect(recipient.fingerprint).toBe(publicKey.getFingerprint());
  expect(recipient.fingerprint).toMatch(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
  const binaryMessage = await encryptTo(recipient, PLAINTEXT, NOW);
  const { data } = await decrypt({ message: await readMessage({ binaryMessage }), decryptionKeys: privateKey });
  expect(data).toBe(PLAINTEXT);
});

test("the PGP library is loaded when the first key comes in, and not with the server", async () => {
  const script = `
    await import("./core/coffer.ts");
    await import("./plugins/index.ts");
    const { parseRecipient } = await import("./core/seal/pgp.ts");
    const loaded = () => Object.keys(require.cache).some((path) => path.includes("openpgp"));
    const before = loaded();
    await parseRecipient("eA==", 0).catch(() => undefined);
    console.log(before, loaded());
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: join(import.meta.dir, ".."), stdout: "pipe" });
  expect(await child.stdout.text()).toBe("false true\n");
});
