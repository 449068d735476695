/** `coffer kv get|put|list|delete`, for key-value engines of version 1. */

import { Envelope, KeyList } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { escapeJson, escapeText } from "../escape.ts";
import { printJson } from "../json.ts";
import { parseData } from "../kv-data.ts";
import { trimSlashes } from "../paths.ts";
import { keyValueTable, plainText, table, tableTitle } from "../table.ts";
import { printWarnings } from "../terminal.ts";

interface KvFlags {
  readonly mount?: string;
}

export async function get(
  context: Context,
  [argument = ""]: readonly string[],
  flags: KvFlags & { readonly field?: string },
): Promise<number> {
  const path = fullPath(flags, argument.replace(/^\//, ""));
  const failure = `error reading ${path}`;
  const { status, body } = await context.client.request("GET", path, { failure, accept: isAbsent });
  if (status === 404) throw await notFound(context, path, body);
  const secret = checkAnswer(Envelope, body, failure);
  if (flags.field !== undefined) return printField(context, secret, flags.field);
  await printWarnings(context.terminal, secret.warnings ?? []);
  const data = secret.data ?? {};
  await context.print(tableTitle("Data", data) + keyValueTable(data), ordered(secret));
  return 0;
}

export async function put(
  context: Context,
  [argument = "", ...pairs]: readonly string[],
  flags: KvFlags,
): Promise<number> {
  const data = await parseData(pairs, context.terminal.stdin);
  const path = fullPath(flags, trimSlashes(argument));
  const failure = `error writing data to ${path}`;
  const { body } = await context.client.request("PUT", path, { failure, body: data });
  if (body !== undefined) await printWarnings(context.terminal, checkAnswer(Envelope, body, failure).warnings ?? []);
  await context.printSuccess(`Success! Data written to: ${path}`);
  return 0;
}

export async function list(context: Context, [argument]: readonly string[], flags: KvFlags): Promise<number> {
  if (argument === undefined && flags.mount === undefined) {
    throw new CliError(
      "missing required argument 'path'",
      "name the folder, for example secret/, or its mount with --mount",
    );
  }
  const path = fullPath(flags, trimSlashes(argument ?? ""));
  const failure = `error listing ${path}`;
  const { status, body } = await context.client.request("GET", path, {
    failure,
    query: "list=true",
    accept: isAbsent,
  });
  if (status === 404) {
    if (context.format === "json") await context.print("", {});
    throw await notFound(context, path, body);
  }
  const { keys } = checkAnswer(KeyList, body, failure).data;
  await context.print(
    table(
      ["Keys"],
      keys.toSorted().map((key) => [key]),
    ),
    keys,
  );
  return 0;
}

export async function remove(context: Context, [argument = ""]: readonly string[], flags: KvFlags): Promise<number> {
  const path = fullPath(flags, trimSlashes(argument));
  await context.client.request("DELETE", path, { failure: `error deleting ${path}` });
  await context.printSuccess(`Success! Data deleted (if it existed) at: ${path}`);
  return 0;
}

function fullPath({ mount }: KvFlags, path: string): string {
  const full = mount === undefined ? path : `${trimSlashes(mount)}/${path}`.replace(/\/$/, "");
  if (full === "" || full.startsWith("/"))
    throw new CliError("the path is empty", "name the secret, for example secret/app");
  return full;
}

/** A 404 that names no error: the path is served and there is nothing at it. */
const isAbsent = (status: number, errors: readonly string[]): boolean => status === 404 && errors.length === 0;

async function notFound(context: Context, path: string, body: unknown): Promise<CliError> {
  const message = `No value found at ${path}`;
  // An engine of version 2 answers so to a path without its data/, and says it in a warning.
  await printWarnings(context.terminal, checkAnswer(Envelope, body, message).warnings ?? []);
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : path;
  return new CliError(message, `\`coffer kv list ${folder}\` shows what is there`, { exitCode: 2 });
}

/** Fields of the envelope go by their names, as in `vault`; everything else is a key of the secret. */
async function printField({ terminal, format }: Context, secret: Envelope, field: string): Promise<number> {
  const { request_id, lease_id, lease_duration, renewable } = secret;
  const envelope = {
    request_id,
    lease_id,
    lease_duration,
    renewable,
    refresh_interval: lease_duration,
  };
  const data = secret.data ?? {};
  const fields: Readonly<Record<string, unknown>> = { data, ...data, ...envelope };
  const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (value === undefined || value === null) {
    const names = Object.keys(data).sort().join(", ");
    throw new CliError(
      `field "${field}" not present in secret`,
      names === "" ? "it has no fields" : `its fields: ${names}`,
    );
  }
  const text = format === "json" ? escapeJson(printJson(value)) : plainText(value);
  // Whatever reads a pipe gets the value and not a byte more.
  await terminal.stdout.write(terminal.stdout.isTerminal ? `${escapeText(text)}\n` : text);
  return 0;
}

/** The answer in the order in which `vault` prints it; auth and wrap_info only when they are there. */
function ordered({
  request_id,
  lease_id,
  lease_duration,
  renewable,
  data,
  warnings,
  auth,
  wrap_info,
}: Envelope): unknown {
  return {
    request_id,
    lease_id,
    lease_duration,
    renewable,
    data: data ?? null,
    warnings: warnings ?? null,
    ...(auth === null || auth === undefined ? {} : { auth }),
    ...(wrap_info === null || wrap_info === undefined ? {} : { wrap_info }),
  };
}
