/** `coffer operator unseal`: one share, by a way on which nobody else sees it. */

import { readFile } from "node:fs/promises";
import type { Context } from "../context.ts";
import { CliError, fileProblem } from "../errors.ts";
import { askHidden } from "../prompt.ts";
import { printSealStatus } from "./status.ts";

const WAYS = "type it at the prompt of `coffer operator unseal`, or give it by --key-file or on standard input";

interface UnsealFlags {
  readonly keyFile?: string;
  readonly reset?: boolean;
}

export async function unseal(context: Context, args: readonly string[], flags: UnsealFlags): Promise<number> {
  if (args.length > 0) {
    throw new CliError("refusing a key share on the command line, where every user of this machine can read it", [
      WAYS,
      "this share may have been seen, and is in your shell's history: remove it there",
    ]);
  }
  const failure = flags.reset === true ? "error resetting unseal process" : "error unsealing";
  const request = flags.reset === true ? { reset: true } : { key: await readShare(context, flags.keyFile) };
  const { body } = await context.client.request("PUT", "sys/unseal", {
    failure,
    body: JSON.stringify(request),
  });
  await printSealStatus(context, body, failure);
  return 0;
}

async function readShare({ terminal }: Context, keyFile: string | undefined): Promise<string> {
  const [text, source] =
    keyFile !== undefined
      ? [await readKeyFile(keyFile), keyFile]
      : terminal.stdin.isTerminal
        ? [await askHidden("Unseal key (not shown)"), "the prompt"]
        : [new TextDecoder().decode(await terminal.stdin.read()), "standard input"];
  const share = text.trim();
  if (share === "") throw new CliError(`no key share in ${source}`, WAYS);
  // Hexadecimal and base64. Anything else is the wrong file, which is better not sent anywhere.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(share)) {
    throw new CliError(
      `${source} holds something other than one key share`,
      "give one share at a time, in base64 or hexadecimal",
    );
  }
  return share;
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CliError(
      `cannot read ${path}: ${fileProblem(error)}`,
      "--key-file takes the path of a file that holds one share",
      {
        cause: error,
      },
    );
  }
}
