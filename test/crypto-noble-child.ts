/**
 * Run by crypto.test.ts in a process of its own, as a runtime without `node:crypto`: answers each line of JSON on stdin
 * with one on stdout, by the fallback of core/crypto.ts.
 */
import nodeCrypto from "node:crypto";

const absent = () => {
  throw new Error("node:crypto was used");
};
Object.assign(nodeCrypto, { createCipheriv: absent, createDecipheriv: absent, createHmac: absent, hkdfSync: absent });
Object.defineProperty(process, "getBuiltinModule", { value: () => undefined });
const { equal, hkdfSha256, hmacSha256, hmacSha256Hex, open, sealInto, sha256, TAG_BYTES } =
  await import("../core/crypto.ts");

export interface Question {
  readonly act: "seal" | "open" | "hmac" | "hmac of text" | "hkdf" | "sha256" | "equal";
  /** Hex. */
  readonly key: string;
  readonly nonce: string;
  readonly aad: string;
  readonly data: string;
}

/** Hex of the result, `true` or `false`, or `refused` and the name of the error. */
function answer({ act, key, nonce, aad, data }: Question): string {
  const [k, n, a, d] = [bytes(key), bytes(nonce), bytes(aad), bytes(data)];
  if (act === "hmac") return hmacSha256(k, d).toHex();
  if (act === "hmac of text") return hmacSha256Hex(k)(new TextDecoder().decode(d));
  if (act === "hkdf") return hkdfSha256(k, new TextDecoder().decode(d), 42).toHex();
  if (act === "sha256") return sha256(d).toHex();
  if (act === "equal") return String(equal(k, d));
  if (act === "open") return open(k, n, a, d).toHex();
  const out = new Uint8Array(3 + d.length + TAG_BYTES);
  sealInto(k, n, a, d, out, 3);
  return out.subarray(3).toHex();
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex);
}

for await (const line of console) {
  if (line === "") break;
  let said: string;
  try {
    said = answer(JSON.parse(line) as Question);
  } catch (error) {
    said = `refused: ${error instanceof Error ? error.name : String(error)}`;
  }
  console.log(said);
}
