/** Questions to the person at the terminal. */

import { CliError } from "./errors.ts";

/**
 * Asks for one line that is not shown while it is typed. The question goes to stderr, for stdout is for data. Only for
 * a stdin that is a terminal. The prompt's library is loaded here, so that nothing else waits for it.
 */
export async function askHidden(question: string): Promise<string> {
  const { isCancel, password } = await import("@clack/prompts");
  const answer = await password({ message: question, mask: "", output: process.stderr });
  if (isCancel(answer)) throw new CliError("cancelled", "run the command again when you have the answer at hand");
  return answer;
}
