/** Declares `coffer server`. The server itself is in serve.ts, loaded when it is to run. */

import { type Command, Option } from "commander";
import { examples } from "../help.ts";
import { LOG_LEVELS, type LogLevel } from "../log-level.ts";

/** The flags of `coffer server`. What is undefined was not given: the configuration file or the default holds. */
export interface ServerOptions {
  readonly dev?: boolean;
  /** Only with `dev`: into how many shares the key is split; of three, two unseal. */
  readonly devShares?: "1" | "3";
  readonly devRootTokenId?: string;
  /** Path of coffer.toml. */
  readonly config?: string;
  /** URL of the store. */
  readonly storage?: string;
  /** As {@link parseListenAddress} takes it. */
  readonly listen?: string;
  readonly logLevel?: LogLevel;
  readonly unsafeListenWithoutTls?: boolean;
}

/** Adds the command to `program`; `onExit` gets the exit code when the server has stopped. */
export function declareServer(program: Command, onExit: (code: number) => void): void {
  const command = program
    .command("server")
    .description("run the server until it is interrupted")
    .option("--dev", "run in memory, initialised, unsealed, with a key-value engine at secret/: for trying out")
    .addOption(
      new Option("--dev-shares <n>", "with --dev: into how many shares the key is split (default: 3)").choices([
        "1",
        "3",
      ]),
    )
    .option("--dev-root-token-id <id>", "with --dev: the root token, visible to every user of this machine")
    .option("--config <file>", "the configuration file, for example coffer.toml")
    .option("--storage <url>", "the store, for example file:/var/lib/coffer")
    .option("--listen <host:port>", "where to listen (default: 127.0.0.1:8200)")
    .addOption(new Option("--log-level <level>", "what the log says at the least (default: info)").choices(LOG_LEVELS))
    .option(
      "--unsafe-listen-without-tls",
      "allow an address that others can reach, though nothing is encrypted on the way",
    )
    .action(async () => {
      const { runServer } = await import("../serve.ts");
      onExit(await runServer(command.opts<ServerOptions>()));
    });
  examples(command, [
    "coffer server --dev",
    "coffer server --storage file:/var/lib/coffer",
    "coffer server --config /etc/coffer.toml --log-level debug",
  ]);
}
