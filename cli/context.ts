/** What every client command gets: the terminal, the format of its output and the way to the server. */

import type { Client } from "./client.ts";
import type { ConnectionFlags } from "./connection-options.ts";
import { CliError } from "./errors.ts";
import { type Setting, setting } from "./environment.ts";
import { escapeJson, escapeLine } from "./escape.ts";
import { printJson } from "./json.ts";
import { canAsk, printWarnings, type Terminal } from "./terminal.ts";

type Format = "table" | "json";

/** The options that every client command has. */
export interface ClientFlags extends ConnectionFlags {
  readonly format?: Format;
  /** Path of a file with the token; `-`: standard input. */
  readonly tokenFile?: string;
}

/** What a command is to the server. */
interface Needs {
  /** Its requests are answered without a token: nobody is asked for one. */
  readonly isPublic: boolean;
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

/** Settles the settings: flags over COFFER_* over VAULT_* over the defaults. */
export async function openContext(terminal: Terminal, flags: ClientFlags, { isPublic }: Needs): Promise<Context> {
  const format = findFormat(terminal, flags);
  const [{ openClient }, { findConnection }, { askToken, findToken }] = await Promise.all([
    import("./client.ts"),
    import("./connection.ts"),
    import("./token.ts"),
  ]);
  const connection = await findConnection(terminal.env, flags);
  await printWarnings(terminal, connection.warnings);
  const found = await findToken(terminal, flags.tokenFile);
  const mayAsk = !isPublic && canAsk(terminal);
  const token = async (): Promise<Setting | undefined> => found ?? (mayAsk ? askToken() : undefined);
  return {
    terminal: flags.tokenFile === "-" ? withoutStdin(terminal) : terminal,
    format,
    client: openClient({ connection, token, terminal }),
    print: (forPeople, forPrograms) => terminal.stdout.write(format === "table" ? forPeople : formatJson(forPrograms)),
    printSuccess: async (sentence) => {
      if (format === "table") await terminal.stdout.write(`${escapeLine(sentence)}\n`);
    },
  };
}

/** A value for programs, as every command prints it. */
export function formatJson(value: unknown): string {
  return `${escapeJson(printJson(value))}\n`;
}

/** The terminal for what runs when the token has been read from standard input, which can be read only once. */
function withoutStdin(terminal: Terminal): Terminal {
  const read = (): Promise<never> =>
    Promise.reject(
      new CliError("standard input is named twice: for the token and for something else", [
        "give one of the two from a file, for example by --token-file FILE",
      ]),
    );
  return { ...terminal, stdin: { isTerminal: terminal.stdin.isTerminal, read } };
}

/** The format of the output: --format, else COFFER_FORMAT, else VAULT_FORMAT, else a table. */
export function findFormat({ env }: Terminal, flags: Pick<ClientFlags, "format">): Format {
  if (flags.format !== undefined) return flags.format;
  const found = setting(env, "FORMAT");
  if (found === undefined || found.value === "table" || found.value === "json") {
    return found?.value === "json" ? "json" : "table";
  }
  throw new CliError(`${found.source} names a format that does not exist`, `set ${found.source} to table or json`);
}
