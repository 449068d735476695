/** The environment: what must not be in it, and where the client finds its settings. */

export type Environment = Readonly<Record<string, string | undefined>>;

const OBEYED = new Set(["BUN_OPTIONS", "BUN_BE_BUN", "NODE_OPTIONS"]);

/**
 * The first variable, in alphabetical order, through which the environment tells a compiled executable to run other
 * code or to open a debugger; undefined when there is none. This detects and cannot prevent: by the time it runs, that
 * code may have run too. The environment is trusted; this keeps a leftover of a developer's shell out of a server.
 */
export function injectedVariable(env: Environment): string | undefined {
  return Object.keys(env)
    .filter((name) => OBEYED.has(name) || name.startsWith("BUN_INSPECT"))
    .sort()
    .find((name) => env[name] !== "");
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
