/** Variables that let others into the process, or its secrets out of it. Their names are told, never their values. */
import { type Check, mustDo, ok, unknown } from "./check.ts";
import type { Machine, Subject } from "./machine.ts";

/** What the loader, the runtime and its TLS library obey. */
const DANGEROUS =
  /^(?:LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT|SSLKEYLOGFILE|BUN_(?:OPTIONS|BE_BUN|INSPECT\w*|CONFIG_VERBOSE_FETCH)|NODE_OPTIONS|NODE_TLS_REJECT_UNAUTHORIZED|NODE_DEBUG)$/;
/** A server has no use for a client's token; a shell has. */
const TOKENS = /^(?:COFFER|VAULT|BAO)_TOKEN$/;

export function checkEnvironment(machine: Machine, { proc, isServer, name }: Subject): Check {
  const environ = machine.read(`${proc}/environ`);
  if (environ === undefined) {
    return unknown("environment", `the variables of ${name} cannot be read`, "run the doctor as the server's user");
  }
  const set = environ
    .split("\0")
    .map((pair) => pair.split("=", 2))
    .filter(([, value = ""]) => value !== "")
    .map(([variable = ""]) => variable);
  const found = set.filter((variable) => DANGEROUS.test(variable) || (isServer && TOKENS.test(variable)));
  if (found.length === 0) return ok("environment", `${name} has no variable that is dangerous`);
  return mustDo(
    "environment",
    `${name} has ${found.join(", ")}`,
    "start the server without: env -u NAME coffer server …",
  );
}
