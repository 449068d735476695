/** Declares `coffer version`. */

import type { Command } from "commander";
import manifest from "../../package.json";
import { type ClientFlags, findFormat, formatJson } from "../context.ts";
import { formatOption } from "../declaration.ts";
import { examples } from "../help.ts";
import type { Terminal } from "../terminal.ts";

type VersionFlags = Pick<ClientFlags, "format"> & { readonly licenses?: boolean };

/** Adds the command to `program`. */
export function declareVersion(program: Command, terminal: Terminal): void {
  const { version } = manifest;
  const command = program
    .command("version")
    .description("print the version")
    .option("--licenses", "print whose software is in the executable, with the texts of all licences")
    .addOption(formatOption())
    .action(async () => {
      const flags = command.opts<VersionFlags>();
      if (flags.licenses === true) {
        const { licenses } = await import("./version-licenses.ts");
        return terminal.stdout.write(await licenses());
      }
      const format = findFormat(terminal, flags);
      return terminal.stdout.write(format === "json" ? formatJson({ version }) : `Coffer v${version}\n`);
    });
  examples(command, ["coffer version", "coffer version -format=json", "coffer version -licenses | less"]);
}
