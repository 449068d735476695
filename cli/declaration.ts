/** How the tables of commands declare a command of the client: its options, its help, and what it runs. */

import { type Command, InvalidArgumentError, Option } from "commander";
import { connectionOptions } from "./connection-options.ts";
import { type ClientFlags, type Context, openContext } from "./context.ts";
import { CliError } from "./errors.ts";
import { examples } from "./help.ts";
import type { Terminal } from "./terminal.ts";

interface Declaration<Flags> {
  readonly summary: string;
  readonly examples: readonly string[];
  /** Positional arguments, as the parser writes them: `<path>`, `[path]`, `<data...>`. */
  readonly args?: readonly (readonly [name: string, text: string])[];
  /** Lets undeclared arguments through to `run`, which refuses them in words of its own. */
  readonly takesAnything?: true;
  /** Its requests are answered without a token: it neither asks for one nor takes the option that names one. */
  readonly isPublic?: true;
  /** Runs when the group that it belongs to is named alone. */
  readonly isDefault?: true;
  readonly options?: readonly Option[];
  /** Resolves with the exit code. */
  run(context: Context, args: readonly string[], flags: Flags): Promise<number>;
}

/** Adds a command below `parent`, and returns it, for it may have commands of its own. */
export type Add = <Flags extends object>(parent: Command, name: string, declaration: Declaration<Flags>) => Command;

/** `onExit` gets the exit code of the command that ran. */
export function openAdd(terminal: Terminal, onExit: (code: number) => void): Add {
  return <Flags extends object>(parent: Command, name: string, declaration: Declaration<Flags>): Command => {
    const command = parent
      .command(name, { isDefault: declaration.isDefault === true })
      .description(declaration.summary);
    for (const [argument, text] of declaration.args ?? []) command.argument(argument, text);
    command.allowExcessArguments(declaration.takesAnything === true);
    for (const option of declaration.options ?? []) command.addOption(option);
    const isPublic = declaration.isPublic === true;
    if (!isPublic) command.option("--token-file <file>", TOKEN_FILE);
    command.addOption(formatOption());
    for (const option of connectionOptions()) command.addOption(option);
    command.action(async () => {
      refuseForeignOptions(command, parent);
      const flags = command.optsWithGlobals<Flags & ClientFlags>();
      onExit(await declaration.run(await openContext(terminal, flags, { isPublic }), command.args, flags));
    });
    examples(command, declaration.examples);
    return command;
  };
}

const TOKEN_FILE =
  "a file with the token; -: standard input (default: COFFER_TOKEN, VAULT_TOKEN, ~/.vault-token; else typed unseen)";

/** `--format`, for every command that prints something for programs too. */
export function formatOption(): Option {
  return new Option("--format <format>", "(COFFER_FORMAT, VAULT_FORMAT; default: table)").choices(["table", "json"]);
}

/** A command that only holds others. */
export function group(program: Command, name: string, summary: string, lines: readonly string[]): Command {
  const command = program.command(name).description(summary);
  examples(command, lines);
  return command;
}

/** Parses the argument of an option that takes a whole number, of at most 15 digits: those are exact. */
export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("it must be a whole number");
  return Number(text);
}

/** A parent that is a command itself takes its options from anywhere: what is none of this command's must not be lost. */
function refuseForeignOptions(command: Command, parent: Command): void {
  const own = new Set(command.options.map(({ long }) => long));
  const foreign = parent.options.find(
    (option) => !own.has(option.long) && parent.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (foreign === undefined) return;
  throw new CliError(`unknown option '${foreign.long}'`, "--help shows how each command is used");
}
