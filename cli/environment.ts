/** The environment: what must not be in it, and where the client finds its settings. */

export type Environment = Readonly<Record<string, string | undefined>>;

const RUNS_CODE = "through it the environment can make this program run other code";

/** What the runtime obeys, and what that does. */
const OBEYED: ReadonlyMap<string, string> = new Map([
  ["BUN_OPTIONS", RUNS_CODE],
  ["BUN_BE_BUN", RUNS_CODE],
  ["NODE_OPTIONS", RUNS_CODE],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "it switches off the check of the server's certificate"],
]);

/** A variable that must not be set, and why. */
interface Injected {
  readonly name: string;
  readonly reason: string;
}

/**
 * The first variable, in alphabetical order, through which the environment tells a compiled executable to run other
 * code, to open a debugger, or to send tokens and secrets to whoever answers in the server's place; undefined when there
 * is none. Whatever its value: nothing here needs one of them. An empty variable is unset. This detects and cannot
 * prevent: by the time it runs, that code may have run too, unless the build made the name inert (Linux). The
 * environment is trusted; this keeps a leftover of a developer's shell out of a server and its clients.
 */
export function injectedVariable(env: Environment): Injected | undefined {
  const name = Object.keys(env)
    .filter((each) => (OBEYED.has(each) || each.startsWith("BUN_INSPECT")) && env[each] !== "")
    .sort()[0];
  return name === undefined ? undefined : { name, reason: OBEYED.get(name) ?? RUNS_CODE };
}

/** A setting of the client: its value and the variable it came from. */
export interface Setting {
  readonly value: string;
  readonly source: string;
}

/** The setting `name` ("ADDR", "TOKEN", "FORMAT") from COFFER_*, else from VAULT_*. An empty variable is unset. */
export function setting(env: Environment, name: string): Setting | undefined {
  for (const source of [`COFFER_${name}`, `VAULT_${name}`]) {
    const value = env[source]?.trim();
    if (value !== undefined && value !== "") return { value, source };
  }
  return undefined;
}
