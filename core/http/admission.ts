import type { Tokens } from "../access/tokens.ts";
import { ApiError } from "../errors.ts";
import type { Caller, Route } from "../plugin.ts";
import type { HeaderValues } from "./incoming.ts";
import { tokenOf } from "./request.ts";

/** Who has shown no token. */
export const NOBODY: Caller = { accessor: "", policies: [] };

interface Admission {
  readonly caller: Caller;
  /** Why it is refused; undefined when it is not. It is recorded before it is told. */
  readonly refusal?: unknown;
  /** A token that is not valid, as it was sent. */
  readonly unknownToken?: string | undefined;
}

/** Who asks for `route`, and whether that is allowed. `tokens`: undefined while sealed, when nobody can be told. */
export async function admit(
  tokens: Tokens | undefined,
  route: Route | undefined,
  headers: HeaderValues,
): Promise<Admission> {
  if (tokens === undefined || route?.access === "none") return { caller: NOBODY };
  const token = tokenOf(headers);
  let caller: Caller | undefined;
  try {
    caller = token === undefined ? undefined : await tokens.authenticate(token);
  } catch (error) {
    return { caller: NOBODY, refusal: error, unknownToken: token };
  }
  if (caller === undefined) return { caller: NOBODY, refusal: new ApiError("permission-denied"), unknownToken: token };
  // The policy `root` allows everything, sudo included; whatever is not known is denied.
  return caller.policies.includes("root") ? { caller } : { caller, refusal: new ApiError("permission-denied") };
}
