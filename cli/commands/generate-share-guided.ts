/** `coffer operator generate-share --pgp-key FILE`: the whole ceremony at one terminal, one custodian after the other. */

import type { ShareAttempt } from "../answers.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { checkShare } from "../key-share.ts";
import { readPublicKey } from "../pgp-key.ts";
import { askConsent, askHidden } from "../prompt.ts";
import { canAsk, printError } from "../terminal.ts";
import {
  attemptTable,
  cancelAttempt,
  COMMAND,
  giveShare,
  readAttempt,
  readSplit,
  startAttempt,
} from "./generate-share-attempt.ts";
import { checkOutput, deliver } from "./generate-share-output.ts";
import { consentQuestion } from "./generate-share-update.ts";
import { noKey } from "./operator-generate-share.ts";

export interface GuidedFlags {
  readonly pgpKey?: string;
  readonly output?: string;
}

/** After Ctrl-C. */
const GO_ON = [
  `the attempt goes on, for an hour after its last share: \`${COMMAND} update\` gives a share to it`,
  `\`${COMMAND} cancel\` ends it`,
] as const;

export async function guide(context: Context, args: readonly string[], flags: GuidedFlags): Promise<number> {
  if (args.length > 0) {
    throw new CliError("generate-share has no such step", "its steps are start, status, update and cancel");
  }
  if (flags.pgpKey === undefined) throw noKey();
  if (!canAsk(context.terminal)) {
    throw new CliError("without a terminal, nobody can be asked for the shares", [
      `go step by step: \`${COMMAND} start --pgp-key FILE\`, then \`${COMMAND} update\``,
    ]);
  }
  await checkOutput(flags.output);
  const key = await readPublicKey(flags.pgpKey);
  const split = await readSplit(context);
  const attempt = await startAttempt(context, key);
  await context.terminal.stderr.write(attemptTable(attempt, split));
  if (!(await askConsent(consentQuestion(split), GO_ON))) {
    await cancelAttempt(context);
    throw new CliError(
      "not confirmed: the attempt was cancelled",
      "the new holder's `gpg --fingerprint` prints the right fingerprint",
    );
  }
  await deliver(context, await collect(context, attempt), flags.output);
  return 0;
}

/** Asks for one share after the other until the attempt is complete. A share that is refused is asked for again. */
async function collect(context: Context, attempt: ShareAttempt): Promise<ShareAttempt> {
  const { required, pgp_fingerprint: fingerprint } = attempt;
  let { progress } = attempt;
  for (;;) {
    const typed = await askHidden(`Key share ${progress + 1} of ${required} (not shown)`, GO_ON);
    const answer = await give(context, typed, fingerprint);
    if (answer === undefined) continue;
    progress = answer.progress;
    await context.terminal.stderr.write(`${progress} of ${required}\n`);
    if (answer.complete) return answer;
  }
}

/** Gives what was typed. Undefined when that alone was refused, and said so: the attempt still waits for a share. */
async function give(context: Context, typed: string, fingerprint: string): Promise<ShareAttempt | undefined> {
  try {
    return await giveShare(context, checkShare(typed, "the answer"), fingerprint);
  } catch (error) {
    if (!(error instanceof CliError) || !(await goesOn(context, error, fingerprint))) throw error;
    await printError(context.terminal, error);
    return undefined;
  }
}

async function goesOn(context: Context, { exitCode, status }: CliError, fingerprint: string): Promise<boolean> {
  // 1: this program did not send it. 400: the server did not take it, for what it is or because the attempt has ended.
  if (exitCode === 1) return true;
  if (status !== 400) return false;
  const attempt = await readAttempt(context);
  return attempt.started && attempt.pgp_fingerprint === fingerprint;
}
