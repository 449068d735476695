/** What a ceremony costs the server: from the start of an attempt to the encrypted share, on a file store. */
import { join } from "node:path";
import { createMessage, encrypt, generateKey, readKey } from "openpgp";
import { type Server, startServer } from "../test/executable.ts";
import { temporaryFolder } from "./folder.ts";
import { interleaved } from "./rounds.ts";
import type { Figure } from "./table.ts";

const ROUNDS = 9;
/** In each round: all rounds together must not use up the 255 coordinates. */
const CEREMONIES = 10;
const SHARES = 5;
const THRESHOLD = 3;
/** The characters of a share in base64. */
const SHARE_TEXT = "x".repeat(44);

const KEYS = {
  Curve25519: { type: "ecc", curve: "ed25519Legacy" },
  "RSA 4096": { type: "rsa", rsaBits: 4096 },
} as const;

/** `parent`: a folder on a disk, in which the stores are made and removed. */
export async function measureGenerateShare(parent: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [name, kind] of Object.entries(KEYS)) {
    const { publicKey } = await generateKey({ ...kind, userIDs: [{ name: "Bench" }], format: "armored" });
    using folder = temporaryFolder(parent);
    const args = ["--storage", `file:${join(folder.path, "store")}`];
    await using server = await startServer({ args, cwd: folder.path });
    const { token, keys } = await server.initAndUnseal(SHARES, THRESHOLD);
    const medians = await interleaved(
      ROUNDS,
      () => perCall(() => encryptOnly(publicKey)),
      () => perCall(() => generateShare(server, token, keys.slice(0, THRESHOLD), publicKey)),
    );
    figures.push({
      group: "generate-share",
      name: `${name}, ${THRESHOLD} of ${SHARES}, start to answer, over the bare encryption`,
      unit: "ms",
      ...medians,
      operations: CEREMONIES,
    });
  }
  return figures;
}

async function generateShare(server: Server, token: string, keys: readonly string[], pgpKey: string): Promise<void> {
  const path = "sys/generate-share/";
  let answer = await server.call("PUT", `${path}attempt`, { token, body: { pgp_key: pgpKey } });
  for (const key of keys) answer = await server.call("PUT", `${path}update`, { body: { key } });
  if (answer.body["complete"] !== true) throw new Error(`generate-share answered ${answer.status}`);
}

async function encryptOnly(armoredKey: string): Promise<void> {
  const encryptionKeys = await readKey({ armoredKey });
  const message = await createMessage({ text: SHARE_TEXT });
  await encrypt({ message, encryptionKeys, format: "binary" });
}

async function perCall(act: () => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let done = 0; done < CEREMONIES; done += 1) await act();
  return (performance.now() - start) / CEREMONIES;
}
