/** `coffer operator init`: the one moment at which shares and the first token are shown. */

import { Initialised, InitStatus } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { asCliError, CliError } from "../errors.ts";
import { escapeLine } from "../escape.ts";
import { readPublicKey } from "../pgp-key.ts";

export interface InitFlags {
  readonly keyShares: number;
  readonly keyThreshold: number;
  /** Paths with commas in between. */
  readonly pgpKeys?: string;
  readonly rootTokenPgpKey?: string;
  readonly status?: boolean;
}

export async function init(context: Context, flags: InitFlags): Promise<number> {
  if (flags.status === true) return initStatus(context);
  const { keyShares, keyThreshold } = flags;
  const pgp = await readPgpKeys(flags);
  const failure = "error initializing";
  const { body } = await context.client.request("PUT", "sys/init", {
    failure,
    body: JSON.stringify({ secret_shares: keyShares, secret_threshold: keyThreshold, ...pgp }),
  });
  const made = checkAnswer(Initialised, body, failure);
  const lines = [
    ...made.keys_base64.map((share, at) => `Unseal Key ${at + 1}: ${escapeLine(share)}`),
    ...made.recovery_keys_base64.map((share, at) => `Recovery Key ${at + 1}: ${escapeLine(share)}`),
    "",
    `Initial Root Token: ${escapeLine(made.root_token)}`,
    "",
    ...advice(keyShares, keyThreshold),
    ...pgpAdvice(flags),
  ];
  await context.print(`${lines.join("\n")}\n`, {
    unseal_keys_b64: made.keys_base64,
    unseal_keys_hex: made.keys,
    unseal_shares: keyShares,
    unseal_threshold: keyThreshold,
    recovery_keys_b64: made.recovery_keys_base64,
    recovery_keys_hex: made.recovery_keys,
    recovery_keys_shares: made.recovery_keys.length,
    recovery_keys_threshold: 0,
    root_token: made.root_token,
  });
  return 0;
}

function advice(shares: number, threshold: number): string[] {
  if (shares === 1) {
    return [
      "The server is initialised and still sealed. Its one key unseals it after every start: keep it",
      "where this machine's administrators cannot read it. Nobody can recover it, and without it",
      "everything that the server holds is lost.",
    ];
  }
  return [
    `The server is initialised and still sealed. Its key is split into ${shares} shares, of which any ${threshold}`,
    "unseal it, now and after every start. Give each share to another person: whoever holds",
    `${threshold} of them holds everything. The server keeps no copy, and these lines are not shown again:`,
    `with fewer than ${threshold} shares left, everything that it holds is lost.`,
    "",
    "Use the root token to set the server up, and not for daily work.",
  ];
}

/** The fields of the request for what is to be encrypted. */
async function readPgpKeys({ pgpKeys, rootTokenPgpKey }: InitFlags) {
  const read = async (path: string): Promise<string> => (await readPublicKey(path)).base64;
  return {
    ...(pgpKeys === undefined ? {} : { pgp_keys: await Promise.all(pgpKeys.split(",").map(read)) }),
    ...(rootTokenPgpKey === undefined ? {} : { root_token_pgp_key: await read(rootTokenPgpKey) }),
  };
}

function pgpAdvice({ pgpKeys, rootTokenPgpKey }: InitFlags): string[] {
  const encrypted = [
    ...(pgpKeys === undefined ? [] : ["Each unseal key above is encrypted to the PGP key at its place in --pgp-keys."]),
    ...(rootTokenPgpKey === undefined
      ? []
      : ["The root token above is encrypted to the PGP key of --root-token-pgp-key."]),
  ];
  if (encrypted.length === 0) return [];
  return ["", ...encrypted, "Its holder decrypts it: echo CIPHERTEXT | base64 --decode | gpg --decrypt"];
}

async function initStatus(context: Context): Promise<number> {
  const failure = "error checking init status";
  try {
    const { body } = await context.client.request("GET", "sys/init", { failure });
    const { initialized } = checkAnswer(InitStatus, body, failure);
    await context.print(`Vault is ${initialized ? "" : "not "}initialized\n`, {
      Initialized: initialized,
    });
    return initialized ? 0 : 2;
  } catch (error) {
    // 2 means "not initialised" here.
    const { message, hints, details, cause } = asCliError(error);
    throw new CliError(message, hints, { exitCode: 1, details, cause });
  }
}
