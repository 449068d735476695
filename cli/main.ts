/** The executable. Checks the environment before anything else is loaded, then hands over to program.ts. */

import { writeSync } from "node:fs";
import { injectedVariable } from "./environment.ts";

const injected = injectedVariable(process.env);
if (injected === undefined) {
  // What this process creates is for its own user: stores, sockets, logs.
  process.umask(0o077);
  const [{ run }, { openTerminal }] = await Promise.all([import("./program.ts"), import("./terminal.ts")]);
  // Output is written by now; whatever still waits on a reader that never comes must not hold the process.
  process.exit(await run(process.argv.slice(2), openTerminal()));
}
writeSync(
  2,
  `coffer: ${injected.name} is set: ${injected.reason}\n` +
    `coffer: hint: unset it: env -u ${injected.name} coffer …\n`,
);
process.exit(1);
