/** Key shares on their way in: by ways on which nobody else sees them, and never repeated in what is printed. */

import { CliError } from "./errors.ts";
import { askHidden } from "./prompt.ts";
import { readSecretFile } from "./secret-file.ts";
import type { Terminal } from "./terminal.ts";

const KEY_FILE =
  "--key-file takes the path of a file that holds one share; a share that was given there is in the shell's history";

/** Refuses a share that was typed behind `command`. */
export function refuseArguments(args: readonly string[], command: string): void {
  if (args.length === 0) return;
  throw new CliError("refusing a key share on the command line, where every user of this machine can read it", [
    waysInto(command),
    "this share may have been seen, and is in your shell's history: remove it there",
  ]);
}

/** Reads one share for `command`: from a file, else typed unseen, else from standard input. */
export async function readShare(terminal: Terminal, keyFile: string | undefined, command: string): Promise<string> {
  const [text, source] =
    keyFile !== undefined && keyFile !== "-"
      ? [await readSecretFile(keyFile, "--key-file", KEY_FILE), keyFile]
      : terminal.stdin.isTerminal && keyFile === undefined
        ? [await askHidden("Unseal key (not shown)"), "the prompt"]
        : [new TextDecoder().decode(await terminal.stdin.read()), "standard input"];
  if (text.trim() === "") throw new CliError(`no key share in ${source}`, waysInto(command));
  return checkShare(text, source);
}

/** The share in `text`. Throws CliError for anything else: the wrong file is better not sent anywhere. */
export function checkShare(text: string, source: string): string {
  const share = text.trim();
  // Hexadecimal and base64.
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(share)) return share;
  throw new CliError(
    `${source} holds something other than one key share`,
    "give one share at a time, in base64 or hexadecimal",
  );
}

function waysInto(command: string): string {
  return `type it at the prompt of \`${command}\`, or give it by --key-file or on standard input`;
}
