/** `coffer secrets enable|list|disable`. */

import { Envelope, Mount } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { trimSlashes } from "../paths.ts";
import { table } from "../table.ts";

interface EnableFlags {
  readonly path?: string;
  readonly description?: string;
}

export async function enable(context: Context, [type = ""]: readonly string[], flags: EnableFlags): Promise<number> {
  const path = mountPath(flags.path ?? type);
  await context.client.request("PUT", `sys/mounts/${path}`, {
    failure: "error enabling",
    body: JSON.stringify({ type, description: flags.description ?? "" }),
  });
  await context.printSuccess(`Success! Enabled the ${type} secrets engine at: ${path}/`);
  return 0;
}

export async function list(context: Context): Promise<number> {
  const failure = "error listing secrets engines";
  const { body } = await context.client.request("GET", "sys/mounts", { failure });
  const data = checkAnswer(Envelope, body, failure).data ?? {};
  const rows = Object.keys(data)
    .sort()
    .map((path) => {
      const { type, accessor, description } = checkAnswer(Mount, data[path], failure);
      return [path, type, accessor, description];
    });
  await context.print(table(["Path", "Type", "Accessor", "Description"], rows), data);
  return 0;
}

export async function disable(context: Context, [argument = ""]: readonly string[]): Promise<number> {
  const path = mountPath(argument);
  await context.client.request("DELETE", `sys/mounts/${path}`, {
    failure: `error disabling secrets engine at ${path}/`,
  });
  await context.printSuccess(`Success! Disabled the secrets engine (if it existed) at: ${path}/`);
  return 0;
}

function mountPath(text: string): string {
  const path = trimSlashes(text);
  if (path === "") throw new CliError("the path of the mount is empty", "name it, for example secret/");
  return path;
}
