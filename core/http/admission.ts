import type { Tokens } from "../access/tokens.ts";
import { ApiError } from "../errors.ts";
import type { Caller, Route } from "../plugin.ts";
import type { Soon } from "../soon.ts";
import type { HeaderValues } from "./incoming.ts";
import { tokenOf } from "./request.ts";

/** Who has shown no token. */
export const NOBODY: Caller = { accessor: "", policies: [] };

export interface Admission {
  readonly caller: Caller;
  /** Why it is refused; undefined when it is not. It is recorded before it is told. */
  readonly refusal?: unknown;
  /** A token that is not valid, as it was sent. */
  readonly unknownToken?: string | undefined;
}

/** Who asks for `route`, and whether that is allowed. `tokens`: undefined while sealed, when nobody can be told. */
export function admit(tokens: Tokens | undefined, route: Route | undefined, headers: HeaderValues): Soon<Admission> {
  if (tokens === undefined || route?.access === "none") return { caller: NOBODY };
  const token = tokenOf(headers);
  const failed = (error: unknown): Admission => ({ caller: NOBODY, refusal: error, unknownToken: token });
  try {
    const caller = token === undefined ? undefined : tokens.authenticate(token, headers);
    if (!(caller instanceof Promise)) return admissionOf(caller, token);
    return caller.then((known) => admissionOf(known, token)).catch(failed);
  } catch (error) {
    return failed(error);
  }
}

function admissionOf(caller: Caller | undefined, token: string | undefined): Admission {
  if (caller === undefined) return { caller: NOBODY, refusal: new ApiError("permission-denied"), unknownToken: token };
  // The policy `root` allows everything, sudo included; whatever is not known is denied.
  return caller.policies.includes("root") ? { caller } : { caller, refusal: new ApiError("permission-denied") };
}
