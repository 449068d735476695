/**
 * Every cryptographic primitive that Coffer uses, each behind one function that says why it is safe as it is used.
 *
 * The work is done synchronously by `node:crypto` where the runtime has it (Bun, Node, Deno, Workers with
 * nodejs_compat): a few microseconds for a small value, where WebCrypto pays for a thread hop. Texts are hashed by Bun's
 * own hasher, where there is one. Where `node:crypto` is missing,
 * `@noble/ciphers` and `@noble/hashes` do the same work in JavaScript; they are loaded only then. No cipher is written
 * here, and none is chosen at run time.
 *
 * Limits: AES-256-GCM with random 96-bit nonces is good for 2^32 encryptions under one key (NIST SP 800-38D, section
 * 8.3). Counting them is the meter's work (`barrier/meter.ts`), not this file's.
 */
import type * as NodeCrypto from "node:crypto";

export const KEY_BYTES = 32;
export const NONCE_BYTES = 12;
/** Always the full tag: shorter tags make forgeries cheaper (SP 800-38D, appendix C). */
export const TAG_BYTES = 16;

/** Wrong key, wrong nonce, wrong AAD or changed bytes: which of them it was cannot be known. */
export class AuthenticationFailed extends Error {
  override readonly name = "AuthenticationFailed";

  constructor() {
    super("message authentication failed");
  }
}

interface Primitives {
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at: number): void;
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, at: number): Uint8Array;
  hmac(key: Uint8Array, message: Uint8Array): Uint8Array;
  hmacHex(key: Uint8Array): (text: string) => string;
  hkdf(key: Uint8Array, info: Uint8Array, bytes: number): Uint8Array;
  sha256(message: Uint8Array): Uint8Array;
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** Bun's own hasher takes half as long for a short text as its `node:crypto`. */
interface BunHasher {
  update(text: string): BunHasher;
  digest(encoding: "hex"): string;
}
const runtime = globalThis as {
  readonly Bun?: { readonly CryptoHasher: new (algorithm: "sha256", key: Uint8Array) => BunHasher };
};

/** `process.getBuiltinModule` asks without an import, so that a runtime without the module can still load this file. */
const node: typeof NodeCrypto | undefined = globalThis.process?.getBuiltinModule?.("node:crypto");
const primitives = node === undefined ? await withNoble() : withNode(node);

/**
 * AES-256-GCM. Writes ciphertext and tag (`plaintext.length + 16` bytes) into `out` from `at` on.
 *
 * `nonce` must be 12 fresh random bytes: the caller owns that, so that nonce and ciphertext share one frame.
 */
export function sealInto(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  out: Uint8Array,
  at: number,
): void {
  assertLength(key, KEY_BYTES, "key");
  assertLength(nonce, NONCE_BYTES, "nonce");
  primitives.seal(key, nonce, aad, plaintext, out, at);
}

/**
 * AES-256-GCM. Opens what stands in `sealed` from `at` on (ciphertext, then a tag of 16 bytes) or throws
 * {@link AuthenticationFailed}; nothing of the plaintext is returned, or left behind in a buffer, unless the tag holds.
 */
export function open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, at = 0): Uint8Array {
  assertLength(key, KEY_BYTES, "key");
  assertLength(nonce, NONCE_BYTES, "nonce");
  if (sealed.length < at + TAG_BYTES) throw new AuthenticationFailed();
  return primitives.open(key, nonce, aad, sealed, at);
}

/** HMAC-SHA256 (RFC 2104, FIPS 198-1), 32 bytes. A keyed hash, so that a stored digest cannot be tried out offline. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return primitives.hmac(key, message);
}

/** HMAC-SHA256 of the UTF-8 of many texts under one key, in lower-case hex. The key is copied. */
export function hmacSha256Hex(key: Uint8Array): (text: string) => string {
  return primitives.hmacHex(key);
}

/**
 * HKDF-SHA256 (RFC 5869) without a salt: its input is always a key of 32 random bytes, which needs no extraction to be
 * uniform. `info` separates the uses of one key and must be unique per use.
 */
export function hkdfSha256(key: Uint8Array, info: string, bytes: number): Uint8Array {
  assertLength(key, KEY_BYTES, "key");
  return primitives.hkdf(key, new TextEncoder().encode(info), bytes);
}

/** SHA-256 (FIPS 180-4), 32 bytes: for names of things that are no secrets. */
export function sha256(message: Uint8Array): Uint8Array {
  return primitives.sha256(message);
}

/** Compares secrets in a time that depends on their lengths only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && primitives.equal(a, b);
}

/** Fresh bytes from the operating system's generator, by way of WebCrypto, which every runtime has. */
export function randomBytes(length: number): Uint8Array {
  return fillRandom(new Uint8Array(length));
}

/** Overwrites `bytes` with fresh random ones. At most 65,536 bytes (WebCrypto's limit). */
export function fillRandom(bytes: Uint8Array): Uint8Array {
  return globalThis.crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
}

function assertLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) throw new Error(`${what} must be ${length} bytes, not ${bytes.length}`);
}

function withNode(crypto: typeof NodeCrypto): Primitives {
  // The length is fixed here: without it a caller could present a tag of 4 bytes and forge it in 2^32 tries.
  const whole = { authTagLength: TAG_BYTES };
  return {
    seal(key, nonce, aad, plaintext, out, at) {
      const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce);
      cipher.setAAD(aad);
      out.set(cipher.update(plaintext), at);
      cipher.final();
      // The whole tag, which is what GCM gives unless told otherwise.
      out.set(cipher.getAuthTag(), at + plaintext.length);
    },
    open(key, nonce, aad, sealed, at) {
      const end = sealed.length - TAG_BYTES;
      const decipher = crypto.createDecipheriv("aes-256-gcm", key, nonce, whole);
      decipher.setAAD(aad);
      decipher.setAuthTag(sealed.slice(end));
      const plaintext = decipher.update(part(sealed, at, end));
      try {
        decipher.final();
      } catch {
        plaintext.fill(0);
        throw new AuthenticationFailed();
      }
      return bytesOf(plaintext);
    },
    hmac: (key, message) => bytesOf(crypto.createHmac("sha256", key).update(message).digest()),
    hmacHex(key) {
      const own = new Uint8Array(key);
      const Hasher = runtime.Bun?.CryptoHasher;
      if (Hasher !== undefined) return (text) => new Hasher("sha256", own).update(text).digest("hex");
      return (text) => crypto.createHmac("sha256", own).update(text).digest("hex");
    },
    hkdf: (key, info, bytes) => new Uint8Array(crypto.hkdfSync("sha256", key, new Uint8Array(0), info, bytes)),
    sha256: (message) => bytesOf(crypto.createHash("sha256").update(message).digest()),
    equal: (a, b) => crypto.timingSafeEqual(a, b),
  };
}

async function withNoble(): Promise<Primitives> {
  const [{ gcm }, { equalBytes }, { hmac }, { hkdf }, { sha256: noble }] = await Promise.all([
    import("@noble/ciphers/aes.js"),
    import("@noble/ciphers/utils.js"),
    import("@noble/hashes/hmac.js"),
    import("@noble/hashes/hkdf.js"),
    import("@noble/hashes/sha2.js"),
  ]);
  return {
    seal: (key, nonce, aad, plaintext, out, at) => out.set(gcm(key, nonce, aad).encrypt(plaintext), at),
    open(key, nonce, aad, sealed, at) {
      try {
        return gcm(key, nonce, aad).decrypt(sealed.subarray(at));
      } catch {
        throw new AuthenticationFailed();
      }
    },
    hmac: (key, message) => hmac(noble, key, message),
    hmacHex: (key) => (text) => hmac(noble, key, new TextEncoder().encode(text)).toHex(),
    hkdf: (key, info, bytes) => hkdf(noble, key, undefined, info, bytes),
    sha256: noble,
    equal: equalBytes,
  };
}

/** Bytes `start` to `end`. A small copy costs less than a second view of the same memory, a large one more. */
function part(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return end - start <= 2048 ? bytes.slice(start, end) : bytes.subarray(start, end);
}

/**
 * A `Buffer` never leaves this file: its methods differ from `Uint8Array`'s (`slice` shares memory). The bytes are this
 * caller's alone, so they become a plain Uint8Array in place, which costs neither a copy nor a view.
 */
function bytesOf(buffer: Uint8Array): Uint8Array {
  return Object.setPrototypeOf(buffer, Uint8Array.prototype) as Uint8Array;
}
