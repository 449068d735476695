import { describe, expect, test } from "bun:test";
import nodeCrypto from "node:crypto";
import { gcm } from "@noble/ciphers/aes.js";
import * as fc from "fast-check";
import {
  AuthenticationFailed,
  equal,
  hkdfSha256,
  hmacSha256,
  hmacSha256Hex,
  sha256,
  open,
  randomBytes,
  sealInto,
  TAG_BYTES,
} from "../core/crypto.ts";
import { utf8 } from "../core/encoding.ts";
import { CIPHER_15, HMACS, KEY_15, PLAIN_15, VECTORS } from "./crypto-vectors.ts";
import type { Question } from "./crypto-noble-child.ts";
import { runs } from "./harness.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.fromHex(text);
function seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const out = new Uint8Array(plaintext.length + TAG_BYTES);
  sealInto(key, nonce, aad, plaintext, out, 0);
  return out;
}

/** A message of any size up to a few blocks, or of about 64 KiB, under any key, nonce and AAD. */
const message = fc.record({
  key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  aad: fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.string({ unit: "grapheme" }).map(utf8)),
  plaintext: fc.oneof(
    { arbitrary: fc.uint8Array({ maxLength: 100 }), weight: 9 },
    { arbitrary: fc.integer({ min: 65_500, max: 65_600 }).map((length) => new Uint8Array(length).fill(7)), weight: 1 },
  ),
});

describe("AES-256-GCM", () => {
  test.each(VECTORS)("%s", (_name, key, nonce, aad, plaintext, ciphertext, tag) => {
    const sealed = seal(hex(key), hex(nonce), hex(aad), hex(plaintext));
    expect(sealed.toHex()).toBe(ciphertext + tag);
    expect(open(hex(key), hex(nonce), hex(aad), sealed).toHex()).toBe(plaintext);
  });

  // Cases 17 and 18 of the same appendix have nonces of 8 and 60 bytes, which Coffer never makes.
  test.each([
    ["8", "cafebabefacedbad"],
    ["60", "93".repeat(60)],
  ])("refuses a nonce of %s bytes", (_bytes, nonce) => {
    expect(() => seal(hex(KEY_15), hex(nonce), hex(""), hex(PLAIN_15))).toThrow("nonce must be 12 bytes");
    expect(() => open(hex(KEY_15), hex(nonce), hex(""), hex(CIPHER_15))).toThrow("nonce must be 12 bytes");
  });

  test.each([0, 16, 24, 31, 33])("refuses a key of %d bytes", (length) => {
    const [key, nonce] = [new Uint8Array(length), new Uint8Array(12)];
    expect(() => seal(key, nonce, hex(""), hex(""))).toThrow("key must be 32 bytes");
    expect(() => open(key, nonce, hex(""), hex("00".repeat(16)))).toThrow("key must be 32 bytes");
  });

  test("gives what node:crypto, noble and WebCrypto open, and opens what they seal", async () => {
    const property = fc.asyncProperty(message, async ({ key, nonce, aad, plaintext }) => {
      const sealed = seal(key, nonce, aad, plaintext);
      expect(nodeOpen(key, nonce, aad, sealed)).toEqual(plaintext);
      expect(gcm(key, nonce, aad).decrypt(sealed)).toEqual(plaintext);
      expect(await webOpen(key, nonce, aad, sealed)).toEqual(plaintext);
      // A nonce and a key determine the bytes, so the others' sealing must give the very same.
      expect(nodeSeal(key, nonce, aad, plaintext)).toEqual(sealed);
      expect(gcm(key, nonce, aad).encrypt(plaintext).toHex()).toBe(sealed.toHex());
      expect(await webSeal(key, nonce, aad, plaintext)).toEqual(sealed);
      expect(open(key, nonce, aad, sealed)).toEqual(plaintext);
    });
    await fc.assert(property, { numRuns: runs(100) });
  });

  test("writes into the frame from the given place on, and nowhere else", () => {
    const frame = new Uint8Array(40).fill(9);
    sealInto(new Uint8Array(32), new Uint8Array(12), hex(""), new Uint8Array(5), frame, 10);
    expect([...frame.subarray(0, 10), ...frame.subarray(31)]).toEqual(Array(19).fill(9));
    expect(open(new Uint8Array(32), new Uint8Array(12), hex(""), frame.subarray(10, 31))).toEqual(new Uint8Array(5));
  });

  test("opens to bytes that are no Buffer and share nothing", () => {
    const sealed = seal(new Uint8Array(32), new Uint8Array(12), hex(""), new Uint8Array(5));
    const [first, second] = [0, 1].map(() => open(new Uint8Array(32), new Uint8Array(12), hex(""), sealed));
    expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
    expect(first?.buffer === second?.buffer).toBe(false);
  });

  test("refuses a message with any one bit flipped, of any length, under another key, nonce or AAD", () => {
    const [key, nonce, aad] = [randomBytes(32), randomBytes(12), utf8("a/path")];
    const sealed = seal(key, nonce, aad, randomBytes(64));
    const refuses = (...given: Parameters<typeof open>) => expect(() => open(...given)).toThrow(AuthenticationFailed);
    const flipped = (bytes: Uint8Array, bit: number) =>
      bytes.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    for (let bit = 0; bit < sealed.length * 8; bit += 1) refuses(key, nonce, aad, flipped(sealed, bit));
    for (let bit = 0; bit < 256; bit += 1) refuses(flipped(key, bit), nonce, aad, sealed);
    for (let bit = 0; bit < 96; bit += 1) refuses(key, flipped(nonce, bit), aad, sealed);
    for (let bit = 0; bit < aad.length * 8; bit += 1) refuses(key, nonce, flipped(aad, bit), sealed);
    for (let length = 0; length < sealed.length; length += 1) refuses(key, nonce, aad, sealed.subarray(0, length));
    expect(open(key, nonce, aad, sealed)).toHaveLength(64);
  });

  test("wipes what it decrypted before it saw that the tag does not hold", () => {
    const [key, nonce, secret] = [randomBytes(32), randomBytes(12), new Uint8Array(48).fill(0x5a)];
    const sealed = seal(key, nonce, hex(""), secret);
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
    const seen: Uint8Array[] = [];
    const create = nodeCrypto.createDecipheriv;
    try {
      // Watches the real decipher: what it hands out is kept, to be looked at after the failure.
      nodeCrypto.createDecipheriv = ((...given: Parameters<typeof create>) => {
        const decipher = create(...given);
        const update = decipher.update.bind(decipher) as (data: Uint8Array) => Buffer<ArrayBuffer>;
        return Object.assign(decipher, {
          update(data: Uint8Array) {
            const plaintext = update(data);
            expect(new Uint8Array(plaintext)).toEqual(secret);
            seen.push(plaintext);
            return plaintext;
          },
        });
      }) as typeof create;
      expect(() => open(key, nonce, hex(""), sealed)).toThrow("message authentication failed");
    } finally {
      nodeCrypto.createDecipheriv = create;
    }
    expect(seen.map((bytes) => [...bytes])).toEqual([Array(48).fill(0)]);
  });
});

describe("HMAC-SHA256 and HKDF-SHA256", () => {
  test.each(HMACS)("RFC 4231, case %s", (_name, key, data, mac) => {
    expect(hmacSha256(hex(key), data).toHex()).toBe(mac);
  });

  test("of a text is that of its UTF-8, in hex", () => {
    const property = fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 80 }),
      fc.oneof(
        fc.string({ unit: "grapheme" }),
        fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }),
      ),
      (key, text) => {
        const mac = hmacSha256(key, utf8(text)).toHex();
        expect(hmacSha256Hex(key)(text)).toBe(mac);
        expect(withoutBunsHasher(() => hmacSha256Hex(key)(text))).toBe(mac);
      },
    );
    fc.assert(property, { numRuns: runs(100) });
  });

  test("of a text goes on when the key is overwritten", () => {
    const key = new Uint8Array(32).fill(1);
    const hash = hmacSha256Hex(key);
    const before = hash("text");
    key.fill(0);
    expect(hash("text")).toBe(before);
  });

  // The function takes keys of 32 bytes only, which none of RFC 5869's cases has: case 3 (no salt) is put to a
  // reference, which is then compared.
  test("RFC 5869", () => {
    expect(hkdf(hex("0b".repeat(22)), new Uint8Array(), 42).toHex()).toBe(
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    );
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const property = fc.property(key, fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 300 }), (...given) => {
      const [secret, info, bytes] = given;
      expect(hkdfSha256(secret, info, bytes)).toEqual(hkdf(secret, utf8(info), bytes));
    });
    fc.assert(property, { numRuns: runs(100) });
    expect(() => hkdfSha256(new Uint8Array(31), "", 16)).toThrow("key must be 32 bytes");
  });

  test("SHA-256, FIPS 180-4", () => {
    expect(sha256(utf8("abc")).toHex()).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });

  test("equal compares contents, lengths included", () => {
    expect(equal(hex("0102"), hex("0102"))).toBe(true);
    expect(equal(hex("0102"), hex("0103"))).toBe(false);
    expect(equal(hex("0102"), hex("010200"))).toBe(false);
    expect(equal(hex(""), hex(""))).toBe(true);
  });
});

test("the same comes of it where the runtime has no node:crypto", async () => {
  const samples = fc.sample(message, runs(40));
  const questions = samples.flatMap(({ key, nonce, aad, plaintext }): (Question & { answer: string })[] => {
    const sealed = seal(key, nonce, aad, plaintext);
    const given = { key: key.toHex(), nonce: nonce.toHex(), aad: aad.toHex() };
    const changed = sealed.map((byte, index) => (index === sealed.length >> 1 ? byte ^ 16 : byte));
    return [
      { ...given, act: "seal", data: plaintext.toHex(), answer: sealed.toHex() },
      { ...given, act: "open", data: sealed.toHex(), answer: plaintext.toHex() },
      { ...given, act: "open", data: changed.toHex(), answer: "refused: AuthenticationFailed" },
      { ...given, act: "open", data: sealed.subarray(0, 15).toHex(), answer: "refused: AuthenticationFailed" },
      { ...given, act: "open", key: "00", data: sealed.toHex(), answer: "refused: Error" },
      { ...given, act: "hmac", data: plaintext.toHex(), answer: hmacSha256(key, plaintext).toHex() },
      { ...given, act: "hmac of text", data: utf8(given.aad).toHex(), answer: hmacSha256Hex(key)(given.aad) },
      { ...given, act: "hkdf", data: utf8("use").toHex(), answer: hkdfSha256(key, "use", 42).toHex() },
      { ...given, act: "sha256", data: plaintext.toHex(), answer: sha256(plaintext).toHex() },
      { ...given, act: "equal", data: key.toHex(), answer: "true" },
      { ...given, act: "equal", data: nonce.toHex(), answer: "false" },
    ];
  });
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/crypto-noble-child.ts`], {
    stdin: new Blob([questions.map((question) => `${JSON.stringify(question)}\n`).join("")]),
    stdout: "pipe",
  });
  const said = (await new Response(child.stdout).text()).trimEnd().split("\n");
  expect(said).toEqual(questions.map(({ answer }) => answer));
});

/** As on every other runtime. */
function withoutBunsHasher<T>(act: () => T): T {
  const { CryptoHasher } = Bun;
  Object.assign(Bun, { CryptoHasher: undefined });
  try {
    return act();
  } finally {
    Object.assign(Bun, { CryptoHasher });
  }
}

function hkdf(key: Uint8Array, info: Uint8Array, bytes: number): Uint8Array {
  // RFC 5869, sections 2.2 and 2.3; without a salt it is a string of zeros.
  const prk = hmacSha256(new Uint8Array(32), key);
  let [block, out] = [new Uint8Array(), new Uint8Array()];
  for (let i = 1; out.length < bytes; i += 1) {
    block = new Uint8Array(hmacSha256(prk, Uint8Array.from([...block, ...info, i])));
    out = Uint8Array.from([...out, ...block]);
  }
  return out.subarray(0, bytes);
}

function nodeSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = nodeCrypto.createCipheriv("aes-256-gcm", key, nonce).setAAD(aad);
  return new Uint8Array(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

function nodeOpen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  const decipher = nodeCrypto.createDecipheriv("aes-256-gcm", key, nonce).setAAD(aad).setAuthTag(sealed.subarray(-16));
  return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]));
}

async function webKey(key: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", new Uint8Array(key), "AES-GCM", false, ["encrypt", "decrypt"]);
}

function webParams(nonce: Uint8Array, aad: Uint8Array) {
  return { name: "AES-GCM" as const, iv: new Uint8Array(nonce), additionalData: new Uint8Array(aad) };
}

async function webSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.encrypt(webParams(nonce, aad), await webKey(key), new Uint8Array(data)));
}

async function webOpen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.decrypt(webParams(nonce, aad), await webKey(key), new Uint8Array(data)));
}
