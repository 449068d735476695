/** `coffer operator unseal`: one share, by a way on which nobody else sees it. */

import type { Context } from "../context.ts";
import { readShare, refuseArguments } from "../key-share.ts";
import { printSealStatus } from "./status.ts";

const COMMAND = "coffer operator unseal";

interface UnsealFlags {
  readonly keyFile?: string;
  readonly reset?: boolean;
}

export async function unseal(context: Context, args: readonly string[], flags: UnsealFlags): Promise<number> {
  refuseArguments(args, COMMAND);
  const failure = flags.reset === true ? "error resetting unseal process" : "error unsealing";
  const request =
    flags.reset === true ? { reset: true } : { key: await readShare(context.terminal, flags.keyFile, COMMAND) };
  const { body } = await context.client.request("PUT", "sys/unseal", {
    failure,
    body: JSON.stringify(request),
  });
  await printSealStatus(context, body, failure);
  return 0;
}
