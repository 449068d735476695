/** What every client command gets: the terminal, the format of its output and the way to the server. */

import type { Client } from "./client.ts";
import { CliError } from "./errors.ts";
import { setting } from "./environment.ts";
import { escapeJson, escapeLine } from "./escape.ts";
import { printJson } from "./json.ts";
import type { Terminal } from "./terminal.ts";

type Format = "table" | "json";

/** The options that every client command has. */
export interface ClientFlags {
  readonly address?: string;
  readonly format?: Format;
}

export interface Context {
  readonly terminal: Terminal;
  readonly format: Format;
  readonly client: Client;
  /** Prints for people, in the table format, or the same thing for programs. */
  print(forPeople: string, forPrograms: unknown): Promise<void>;
  /** Tells people that it worked; programs have the exit code. */
  printSuccess(sentence: string): Promise<void>;
}

const DEFAULT_ADDRESS = "http://127.0.0.1:8200";

/** Settles the settings: flags over COFFER_* over VAULT_* over the defaults. */
export async function openContext(terminal: Terminal, flags: ClientFlags): Promise<Context> {
  const format = flags.format ?? formatFrom(terminal);
  const address =
    flags.address === undefined
      ? (setting(terminal.env, "ADDR") ?? { value: DEFAULT_ADDRESS, source: "the default" })
      : { value: flags.address, source: "--address" };
  const [{ openClient }, { findToken }] = await Promise.all([import("./client.ts"), import("./token.ts")]);
  return {
    terminal,
    format,
    client: openClient({ address, token: await findToken(terminal.env), terminal }),
    print: (forPeople, forPrograms) =>
      terminal.stdout.write(format === "table" ? forPeople : `${escapeJson(printJson(forPrograms))}\n`),
    printSuccess: async (sentence) => {
      if (format === "table") await terminal.stdout.write(`${escapeLine(sentence)}\n`);
    },
  };
}

function formatFrom({ env }: Terminal): Format {
  const found = setting(env, "FORMAT");
  if (found === undefined || found.value === "table" || found.value === "json") {
    return found?.value === "json" ? "json" : "table";
  }
  throw new CliError(`${found.source} names a format that does not exist`, `set ${found.source} to table or json`);
}
