/**
 * `coffer operator generate-share update`: one custodian gives one share. For whom it is, is shown and confirmed before
 * the share is asked for, and sent along with it, so that the server counts it for nobody else.
 */

import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readShare, refuseArguments } from "../key-share.ts";
import { fingerprintText, parseFingerprint } from "../pgp-fingerprint.ts";
import { askConsent } from "../prompt.ts";
import { canAsk } from "../terminal.ts";
import { attemptTable, COMMAND, giveShare, readAttempt, readSplit } from "./generate-share-attempt.ts";
import { checkOutput, deliver } from "./generate-share-output.ts";

export interface UpdateFlags {
  readonly keyFile?: string;
  readonly pgpFingerprint?: string;
  readonly output?: string;
}

export async function update(context: Context, args: readonly string[], flags: UpdateFlags): Promise<number> {
  refuseArguments(args, `${COMMAND} update`);
  await checkOutput(flags.output);
  const fingerprint =
    flags.pgpFingerprint === undefined
      ? await askFingerprint(context)
      : await checkFingerprint(context, parseFingerprint(flags.pgpFingerprint));
  const share = await readShare(context.terminal, flags.keyFile, `${COMMAND} update`);
  const attempt = await giveShare(context, share, fingerprint);
  const { progress, required } = attempt;
  if (attempt.complete) await deliver(context, attempt, flags.output);
  else if (context.format === "json") await context.print("", attempt);
  else await context.terminal.stderr.write(`${progress} of ${required} shares given\n`);
  return 0;
}

/** What a custodian is asked, given how many shares there are now. */
export function consentQuestion({ n }: { readonly n: number }): string {
  return `Is this the new holder's fingerprint, and shall there be ${n + 1} shares?`;
}

/** Shows for whom the attempt is and asks whether that is meant; the fingerprint that was confirmed. */
async function askFingerprint(context: Context): Promise<string> {
  const { terminal } = context;
  if (!canAsk(terminal)) {
    throw new CliError("without a terminal, nobody can confirm for whom the share is given", [
      "say it: --pgp-fingerprint FINGERPRINT, as the new holder's `gpg --fingerprint` prints it",
      "no share was sent",
    ]);
  }
  const [attempt, split] = await Promise.all([readAttempt(context), readSplit(context)]);
  if (!attempt.started) {
    throw new CliError(
      "no share is being generated",
      [
        `start with \`${COMMAND} start --pgp-key FILE\``,
        `has it just been completed, and the answer was lost? a share given to it gets it again: ${COMMAND} update --pgp-fingerprint FINGERPRINT`,
      ],
      { exitCode: 2 },
    );
  }
  await terminal.stderr.write(attemptTable(attempt, split));
  if (await askConsent(consentQuestion(split))) return attempt.pgp_fingerprint;
  throw new CliError("not confirmed: no share was sent", `\`${COMMAND} cancel\` ends the attempt for everybody`);
}

/** Compares with the attempt under way before a share is read. Without one this may be the repetition of the last share. */
async function checkFingerprint(context: Context, fingerprint: string): Promise<string> {
  const attempt = await readAttempt(context);
  if (attempt.started && attempt.pgp_fingerprint !== fingerprint) {
    throw new CliError(
      `the attempt is for another PGP key: ${fingerprintText(attempt.pgp_fingerprint)}`,
      `no share was sent; \`${COMMAND} cancel\` ends the attempt for everybody`,
      { exitCode: 2 },
    );
  }
  if (attempt.started && context.terminal.stderr.isTerminal) {
    await context.terminal.stderr.write(attemptTable(attempt, await readSplit(context)));
  }
  return fingerprint;
}
