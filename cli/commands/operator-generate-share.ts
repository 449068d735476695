/** `coffer operator generate-share start|status|cancel`. */

import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readPublicKey } from "../pgp-key.ts";
import { columns } from "../table.ts";
import {
  attemptRows,
  attemptTable,
  cancelAttempt,
  COMMAND,
  readAttempt,
  readSplit,
  startAttempt,
} from "./generate-share-attempt.ts";

export async function start(context: Context, flags: { readonly pgpKey?: string }): Promise<number> {
  if (flags.pgpKey === undefined) throw noKey();
  const key = await readPublicKey(flags.pgpKey, context.terminal.stdin);
  const split = await readSplit(context);
  const attempt = await startAttempt(context, key);
  const advice = [
    "Let the new holder confirm the fingerprint. Then it takes the shares of",
    `${attempt.required} custodians, each of whom gives one:`,
    "",
    `  ${COMMAND} update`,
    "",
    "The last of them gets the new share, encrypted to its holder. When nobody gives",
    `a share for an hour, this is over; \`${COMMAND} cancel\` ends it at once.`,
  ];
  await context.print(`${attemptTable(attempt, split)}\n${advice.join("\n")}\n`, attempt);
  return 0;
}

export async function status(context: Context): Promise<number> {
  const [attempt, split] = await Promise.all([readAttempt(context), readSplit(context)]);
  const details = attempt.started
    ? attemptRows(attempt, split)
    : [
        ["Key Shares", `${split.t} of ${split.n}`],
        ["PGP Fingerprint", ""],
      ];
  await context.print(columns([["Started", String(attempt.started)], ...details]), attempt);
  return 0;
}

export async function cancel(context: Context): Promise<number> {
  await cancelAttempt(context);
  await context.printSuccess("Success! Share generation cancelled (if it was started)");
  return 0;
}

/** What to say when no key was named. */
export function noKey(): CliError {
  return new CliError("no PGP key was named", [
    "a share is made for the holder of a PGP key: --pgp-key FILE",
    "the holder exports it with `gpg --export --armor NAME > key.asc`",
  ]);
}
