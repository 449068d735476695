/** Questions to the person at the terminal. They go to stderr, for stdout is for data. Only for a stdin that is a terminal. */

import { CliError } from "./errors.ts";

type Hints = string | readonly [string, ...string[]];

/** What to do after Ctrl-C, unless the caller knows better. */
const AGAIN = "run the command again when you have the answer at hand";

/** Asks for one line that is not shown while it is typed. The prompt's library is loaded here: nothing else waits for it. */
export async function askHidden(question: string, afterCancel: Hints = AGAIN): Promise<string> {
  const { isCancel, password } = await import("@clack/prompts");
  const answer = await password({ message: question, mask: "", output: process.stderr });
  if (isCancel(answer)) throw new CliError("cancelled", afterCancel);
  return answer;
}

/** Asks for a yes or a no; whoever only presses Enter has said no. */
export async function askConsent(question: string, afterCancel: Hints = AGAIN): Promise<boolean> {
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
  if (isCancel(answer)) throw new CliError("cancelled", afterCancel);
  return answer;
}
