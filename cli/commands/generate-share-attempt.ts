/** The requests of `coffer operator generate-share`, and how its commands show an attempt. */

import { SealStatus, ShareAttempt } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { asCliError, CliError } from "../errors.ts";
import { fingerprintText } from "../pgp-fingerprint.ts";
import type { PublicKey } from "../pgp-key.ts";
import { columns } from "../table.ts";

export const COMMAND = "coffer operator generate-share";
const ATTEMPT = "sys/generate-share/attempt";

/** Of `n` shares any `t` unseal. */
type Split = Pick<SealStatus, "t" | "n">;

export async function readAttempt({ client }: Context): Promise<ShareAttempt> {
  const failure = "error reading the state of share generation";
  const { body } = await client.request("GET", ATTEMPT, { failure });
  return checkAnswer(ShareAttempt, body, failure);
}

export async function readSplit({ client }: Context): Promise<Split> {
  const failure = "error checking seal status";
  const { body } = await client.request("GET", "sys/seal-status", { failure });
  return checkAnswer(SealStatus, body, failure);
}

/** Starts an attempt for the holder of `key`; when one is under way already, the error says for whom. */
export async function startAttempt(context: Context, key: PublicKey): Promise<ShareAttempt> {
  const failure = "error starting share generation";
  const { status, body } = await context.client.request("PUT", ATTEMPT, {
    failure,
    body: JSON.stringify({ pgp_key: key.base64 }),
    accept: (code, errors) => code === 400 && errors.includes("share generation already in progress"),
  });
  if (status === 400) throw alreadyStarted(failure, await readAttempt(context));
  const attempt = checkAnswer(ShareAttempt, body, failure);
  if (attempt.pgp_fingerprint !== key.fingerprint) throw otherKey(attempt);
  return attempt;
}

export async function cancelAttempt({ client }: Context): Promise<void> {
  await client.request("DELETE", ATTEMPT, { failure: "error cancelling share generation" });
}

/**
 * Gives one share to the attempt for the holder of this fingerprint and no other: the server refuses it otherwise.
 * Rejects with a CliError of status 400 when the share was not taken; when that cannot be told, its hint says what to do.
 */
export async function giveShare({ client }: Context, share: string, fingerprint: string): Promise<ShareAttempt> {
  const failure = "error giving a key share";
  try {
    const { body } = await client.request("PUT", "sys/generate-share/update", {
      failure,
      body: JSON.stringify({ key: share, pgp_fingerprint: fingerprint }),
    });
    const attempt = checkAnswer(ShareAttempt, body, failure);
    if (attempt.pgp_fingerprint !== fingerprint) throw otherKey(attempt);
    return attempt;
  } catch (error) {
    const failed = asCliError(error);
    if (failed.status !== undefined && failed.status < 500) throw failed;
    throw failed.withHints([
      `whether the share was counted is not known: repeating the same update with the same share gets its answer again: ${repeatUpdate(fingerprint)}`,
      ...failed.hints,
    ]);
  }
}

/** The command that gives a share, or gives it once more after the attempt has ended. */
export function repeatUpdate(fingerprint: string): string {
  return `${COMMAND} update --pgp-fingerprint ${fingerprint}`;
}

/** What a custodian decides about: how the shares would grow, for whom, and how far it has got. */
export function attemptTable(attempt: ShareAttempt, split: Split): string {
  return columns(attemptRows(attempt, split));
}

export function attemptRows({ progress, required, pgp_fingerprint }: ShareAttempt, { t, n }: Split): string[][] {
  return [
    ["Key Shares", `${t} of ${n} → ${t} of ${n + 1}`],
    ["PGP Fingerprint", fingerprintText(pgp_fingerprint)],
    ["Progress", `${progress} of ${required}`],
  ];
}

function alreadyStarted(failure: string, { pgp_fingerprint, progress, required }: ShareAttempt): CliError {
  return new CliError(
    `${failure}: a share is being generated already, for the PGP key ${fingerprintText(pgp_fingerprint)} (${progress} of ${required} shares given)`,
    [`\`${COMMAND} update\` gives a share to it`, `\`${COMMAND} cancel\` ends it`],
    { exitCode: 2 },
  );
}

function otherKey({ pgp_fingerprint }: ShareAttempt): CliError {
  return new CliError(
    `the server answered for another PGP key: ${fingerprintText(pgp_fingerprint)}`,
    `\`${COMMAND} status\` shows for whom a share is being generated; \`${COMMAND} cancel\` ends it`,
    { exitCode: 2 },
  );
}
