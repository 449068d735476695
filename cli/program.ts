/** The command line as a whole: parses the arguments, runs one command, and turns every failure into words and a code. */

import { Command, CommanderError, Option } from "commander";
import manifest from "../package.json";
import { normaliseArguments, type OptionNames } from "./arguments.ts";
import { declareClient } from "./client-commands.ts";
import { declareServer } from "./commands/server.ts";
import { declareVersion } from "./commands/version.ts";
import { asCliError, CliError } from "./errors.ts";
import { examples } from "./help.ts";
import { printError, type Terminal } from "./terminal.ts";

/** Runs one command line, without the executable's own name. Resolves with the exit code; never rejects. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const help: Promise<void>[] = [];
  let exitCode = 0;
  const program = declare(terminal, {
    onHelp: (written) => help.push(written),
    onExit: (code) => (exitCode = code),
  });
  try {
    const normalised = normaliseArguments(withHelpLast(args), optionNames(program));
    await program.parseAsync(normalised, { from: "user" }).catch((error) => {
      // Help and version end the parser by an error too.
      if (!(error instanceof CommanderError) || !SHOWN.has(error.code)) throw error;
      exitCode = error.exitCode;
    });
    await Promise.all(help);
    return exitCode;
  } catch (error) {
    const failure = error instanceof CommanderError ? usageError(error) : asCliError(error);
    // When stderr cannot be written either, the exit code is all that is left to say it.
    await printError(terminal, failure).catch(() => undefined);
    return failure.exitCode;
  }
}

/** `help kv get` asks for what `kv get --help` shows; the parser's own looks at the first word only. */
function withHelpLast(args: readonly string[]): readonly string[] {
  return args[0] === "help" && args.length > 1 ? [...args.slice(1), "--help"] : args;
}

const SHOWN = new Set(["commander.help", "commander.helpDisplayed", "commander.version"]);

interface Ends {
  readonly onHelp: (written: Promise<void>) => void;
  readonly onExit: (code: number) => void;
}

function declare(terminal: Terminal, { onHelp, onExit }: Ends): Command {
  const program = new Command("coffer")
    .description("A secrets server that speaks the HTTP API of HashiCorp Vault, and its client.")
    .version(`Coffer v${manifest.version}`, "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => onHelp(terminal.stdout.write(text)),
      writeErr: (text) => onHelp(terminal.stderr.write(text)),
      // run() prints failures, with their hints.
      outputError: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  examples(program, [
    "coffer server --dev",
    "coffer status",
    "coffer kv put secret/app user=app password=@password.txt",
    "coffer kv get -field=password secret/app",
  ]);
  declareServer(program, onExit);
  declareClient(program, terminal, onExit);
  declareVersion(program, terminal);
  return program;
}

/** Of all commands. A flag can be taken back, which says more than to leave it out where a variable sets it too. */
function optionNames(program: Command): OptionNames {
  const names = { takesValue: new Set<string>(), flags: new Set<string>() };
  for (const command of withSubcommands(program)) {
    const flags = command.options.filter(({ required }) => !required).map((option) => option.name());
    for (const option of command.options) (option.required ? names.takesValue : names.flags).add(option.name());
    for (const flag of flags) command.addOption(new Option(`--no-${flag}`).hideHelp());
  }
  return names;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** The parser's complaint in this program's form: without its prefix, its suggestion as the hint. */
function usageError(error: CommanderError): CliError {
  const [, message = "", suggestion] =
    /^(?:error: )?([^]*?)(?:\n\(Did you mean ([^]*)\?\))?$/.exec(error.message) ?? [];
  // An option that is not known may carry a value, and the value may be a secret: `kv put secret/a -password=…`.
  const safe = message
    .replace(/^(unknown option '[^'=]*)=[^]*'$/, "$1'")
    .replace(/ argument '[^]*' is invalid\. /, " is invalid: ")
    .replaceAll("\n", " ");
  // Of an option that other commands have: nothing is gained by writing it again.
  const isItself = suggestion !== undefined && safe.includes(`'${suggestion}'`);
  const hint =
    suggestion === undefined || isItself ? "--help shows how each command is used" : `did you mean ${suggestion}?`;
  return new CliError(safe, hint);
}
