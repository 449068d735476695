/** Guesses, of which each address has so many (access/refusals.ts): tokens that nobody holds, key shares that are none. */
import { ApiError } from "../errors.ts";
import type { Reply } from "../plugin.ts";
import type { Soon } from "../soon.ts";
import type { Admission } from "./admission.ts";
import type { Server } from "./asked.ts";

/** Whether a token was sent that nobody holds. A failure of the server says nothing about it. */
export function isUnknownToken({ unknownToken, refusal }: Admission): boolean {
  return unknownToken !== undefined && refusal instanceof ApiError && refusal.code === "permission-denied";
}

/** Counts a token that nobody holds. To be called before anybody is told. */
export function countToken({ refusals, metrics }: Server, address: string | undefined): void {
  refusals.count(address);
  metrics?.refused("token");
}

/**
 * What `make` answers to a share; `invalid` counts, for a failure of the server says nothing about the share. Rejects with
 * ApiError `too-many-refusals` where as many are being tried as the address may have refused.
 */
export async function tryShare(
  { refusals, metrics }: Server,
  address: string | undefined,
  make: () => Soon<Reply>,
): Promise<Reply> {
  using _trying = refusals.begin(address);
  try {
    return await make();
  } catch (error) {
    if (error instanceof ApiError && error.code === "invalid") {
      refusals.count(address);
      metrics?.refused("share");
    }
    throw error;
  }
}
