/** What `coffer operator doctor` finds: one line for each thing that it looked at. */

/**
 * `ok`; `advice`: could be better; `todo`: must be seen to before secrets are kept here; `unknown`: could not be told,
 * on this system or by this user.
 */
export type State = "ok" | "advice" | "todo" | "unknown";

export interface Check {
  /** What was looked at. */
  readonly name: string;
  readonly state: State;
  /** What was found. Never a secret, nor the value of a variable. */
  readonly found: string;
  /** What to do; empty where there is nothing. */
  readonly advice: string;
}

export function ok(name: string, found: string): Check {
  return { name, state: "ok", found, advice: "" };
}

export function advise(name: string, found: string, advice: string): Check {
  return { name, state: "advice", found, advice };
}

export function mustDo(name: string, found: string, advice: string): Check {
  return { name, state: "todo", found, advice };
}

export function unknown(name: string, found: string, advice = ""): Check {
  return { name, state: "unknown", found, advice };
}
