/** What the tests of generate-share have in common: a PGP key without gpg, a ceremony in one call, the register. */
import { decrypt, generateKey, readMessage, readPrivateKey } from "openpgp";
import { Barrier } from "../core/barrier/barrier.ts";
import { readRegister, type Register } from "../core/seal/register.ts";
import { ROOT_KEYS_PATH, unwrapRootKeys } from "../core/seal/root-keys.ts";
import { combine } from "../core/seal/shamir.ts";
import { type Answer, type CallOptions, memoryOver, startCoffer, testClock } from "./harness.ts";

export const ATTEMPT = "sys/generate-share/attempt";
export const UPDATE = "sys/generate-share/update";

/** A recipient whose private key is here in the process. */
export interface SoftKey {
  readonly armored: string;
  /** Lower-case hex. */
  readonly fingerprint: string;
  /** The plaintext of `key` as an answer holds it: base64 of the message. */
  decrypt(key: unknown): Promise<string>;
  /** The share in such a message, in hex. */
  open(key: unknown): Promise<string>;
}

export async function softKey(name = "custodian"): Promise<SoftKey> {
  const made = await generateKey({
    type: "ecc",
    curve: "curve25519Legacy",
    userIDs: [{ name }],
    date: new Date("2025-06-01T00:00:00Z"),
    format: "armored",
  });
  const decryptionKeys = await readPrivateKey({ armoredKey: made.privateKey });
  const plaintext = async (key: unknown): Promise<string> => {
    const binaryMessage = Uint8Array.fromBase64(String(key));
    const { data } = await decrypt({ message: await readMessage({ binaryMessage }), decryptionKeys });
    return data;
  };
  return {
    armored: made.publicKey,
    fingerprint: decryptionKeys.getFingerprint(),
    decrypt: plaintext,
    open: async (key) => Uint8Array.fromBase64(await plaintext(key)).toHex(),
  };
}

/** A server of harness.ts or of executable.ts. */
export interface Callable {
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

/** A whole ceremony with these shares (a threshold of them). Returns the new share in hex. */
export async function generateShare(
  server: Callable,
  token: string,
  shares: readonly string[],
  recipient: SoftKey,
): Promise<string> {
  await must(server.call("PUT", ATTEMPT, { token, body: { pgp_key: recipient.armored } }));
  let answer: Answer | undefined;
  for (const key of shares) answer = await must(server.call("PUT", UPDATE, { body: { key } }));
  if (answer?.body["complete"] !== true) throw new Error(`not complete: ${answer?.text}`);
  return recipient.open(answer.body["key"]);
}

/** The answer, if it is one of success. */
export async function must(answer: Promise<Answer>): Promise<Answer> {
  const { status, text } = await answer;
  if (status >= 300) throw new Error(`answered ${status}: ${text}`);
  return answer;
}

/** `n` as `sys/seal-status` says it. */
export async function countOf(server: Callable): Promise<unknown> {
  return (await must(server.call("GET", "sys/seal-status"))).body["n"];
}

/** The barrier over `store`, opened with a threshold of shares (hex). */
export async function barrierOver(store: Map<string, Uint8Array>, shares: readonly string[]): Promise<Barrier> {
  const kek = await combine(shares.map((share) => Uint8Array.fromHex(share)));
  const wrapped = store.get(ROOT_KEYS_PATH) ?? new Uint8Array();
  return Barrier.open(unwrapRootKeys(kek, wrapped), { driver: memoryOver(store, false), clock: testClock() });
}

/** The register as it lies in `store`, opened with a threshold of shares (hex). */
export async function registerIn(store: Map<string, Uint8Array>, shares: readonly string[]): Promise<Register> {
  // A copy: opening a barrier must not change what is looked at.
  const { register } = await readRegister(await barrierOver(new Map(store), shares));
  return register;
}

/** The names of the encrypted shares in `store`. */
export function ciphertextsIn(store: ReadonlyMap<string, Uint8Array>): string[] {
  return [...store.keys()].filter((path) => path.startsWith("core/shares/")).sort();
}

/** The store's content, for a comparison of before and after. */
export function contentOf(store: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries([...store].map(([path, value]) => [path, value.toHex()]));
}

/** An unsealed server over a map of its own, 3 of 5. */
export async function openCeremony(recipient: SoftKey, shares = 5, threshold = 3) {
  const store = new Map<string, Uint8Array>();
  const clock = testClock();
  const server = await startCoffer({ store, clock });
  const known = await server.initAndUnseal(shares, threshold);
  const call = (method: string, path: string, options: CallOptions = {}) => server.call(method, path, options);
  const start = (key = recipient) =>
    must(call("PUT", ATTEMPT, { token: known.token, body: { pgp_key: key.armored } })).then(({ body }) => body);
  const give = (key: string | undefined, more: object = {}) => call("PUT", UPDATE, { body: { key, ...more } });
  const status = () => must(call("GET", ATTEMPT)).then(({ body }) => body);
  return { ...known, store, clock, server, call, start, give, status };
}

/** Another node over the same store, or the same one after a restart. */
export async function openNode(store: Map<string, Uint8Array>, keys: readonly string[], clock = testClock()) {
  const server = await startCoffer({ store, clock });
  await server.unseal(keys);
  return server;
}
