/** Where the new share goes: the last answer of `coffer operator generate-share`, a PGP message for its holder. */

import { constants } from "node:fs";
import { access, lstat, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fromBase64 } from "../../core/encoding.ts";
import type { ShareAttempt } from "../answers.ts";
import type { Context } from "../context.ts";
import { CliError, fileProblem } from "../errors.ts";
import { repeatUpdate } from "./generate-share-attempt.ts";

/** As the name of a file. */
const STDOUT = "-";

/** Refuses, before anything is sent, a file that could not be written in the end. Nothing is ever overwritten. */
export async function checkOutput(path: string | undefined): Promise<void> {
  if (path === undefined || path === STDOUT) return;
  const found = await lstat(path).catch(() => undefined);
  if (found !== undefined) throw new CliError(`${path} exists already`, "name a new file: --output FILE");
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw new CliError(`cannot write to ${dirname(path)}: ${fileProblem(error)}`, "name a new file: --output FILE", {
      cause: error,
    });
  }
}

/** Hands over the encrypted share of a complete attempt: armored, to `path` (mode 0600) or standard output. */
export async function deliver(context: Context, attempt: ShareAttempt, path: string | undefined): Promise<void> {
  const armored = await armor(attempt);
  if (path === undefined || path === STDOUT) await context.print(armored, attempt);
  else {
    await writeNew(path, armored, attempt.pgp_fingerprint);
    await context.print(`Success! The encrypted share is in ${path}\n`, attempt);
  }
  if (context.format === "table" && context.terminal.stderr.isTerminal) {
    const command =
      path === undefined || path === STDOUT ? "gpg --decrypt, given this message" : `gpg --decrypt ${path}`;
    await context.terminal.stderr.write(`\nOnly its holder can read it: ${command}\n`);
  }
}

/** ASCII armor, which gpg takes as it is, with the checksum that older versions of it look for (RFC 9580, section 6). */
async function armor({ key, pgp_fingerprint }: ShareAttempt): Promise<string> {
  const message = fromBase64(key);
  if (message === undefined || message.length === 0) {
    throw new CliError("the server's last answer holds no encrypted share", repeatHint(pgp_fingerprint), {
      exitCode: 2,
    });
  }
  const openpgp = await import("openpgp");
  const text = openpgp.armor(openpgp.enums.armor.message, message, undefined, undefined, undefined, true);
  return text.replaceAll("\r\n", "\n");
}

async function writeNew(path: string, text: string, fingerprint: string): Promise<void> {
  try {
    await writeFile(path, text, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    const isAnothers = error instanceof Error && "code" in error && error.code === "EEXIST";
    // Half a message would be in the way of the next attempt to write it.
    if (!isAnothers) await rm(path, { force: true }).catch(() => undefined);
    throw new CliError(`cannot write ${path}: ${fileProblem(error)}`, repeatHint(fingerprint), { cause: error });
  }
}

function repeatHint(fingerprint: string): string {
  return `for an hour, the same share gets the answer again: ${repeatUpdate(fingerprint)}`;
}
