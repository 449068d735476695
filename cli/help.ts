import type { Command } from "commander";

/** Ends the help of a command in commands that can be typed as they are. */
export function examples(command: Command, lines: readonly string[]): void {
  command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
}
