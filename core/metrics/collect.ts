import { MAX_OPERATIONS } from "../barrier/keyring.ts";
import type { KeyControl } from "../barrier/key-control.ts";
import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { MetricsNeeds } from "../needs.ts";
import type { Counters } from "./counters.ts";
import { type Family, single } from "./family.ts";
import type { MetricsOutput } from "./metrics.ts";

interface Sources {
  readonly counters: Counters;
  readonly output: MetricsOutput;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined while sealed. */
  readonly keys: () => KeyControl | undefined;
  readonly inFlight: () => number;
}

/** The metrics as a plugin sees them; undefined: nobody wanted any, and the endpoint is as one that is not there. */
export function metricsNeeds(sources: Sources | undefined): MetricsNeeds {
  const wanted = (): Sources => {
    if (sources === undefined) throw new ApiError("unsupported-path");
    return sources;
  };
  return {
    families: async () => collect(wanted()),
    prometheus: async () => wanted().output.render(await collect(wanted())),
  };
}

async function collect(sources: Sources): Promise<readonly Family[]> {
  const { counters, output, version, keys, inFlight } = sources;
  const opened = keys();
  const unsealed = opened === undefined ? 0 : 1;
  const running = inFlight();
  return [
    single("gauge", "coffer_build_info", "1; the version is in the label.", 1, { version }),
    single("gauge", "coffer_unsealed", "1 while this node is unsealed, else 0.", unsealed),
    single("gauge", "vault_core_unsealed", "The same, as dashboards for Vault read it.", unsealed),
    single("gauge", "coffer_requests_in_flight", "Requests that wait for their answer, this one included.", running),
    single("gauge", "vault_core_in_flight_requests", "The same, as dashboards for Vault read it.", running),
    ...counters.families(),
    ...(opened === undefined ? [] : await ofActiveTerm(opened, sources)),
    ...output.ofProcess(),
  ];
}

/** The numbers of the active term: nothing where the storage cannot tell, for the others are wanted all the more then. */
async function ofActiveTerm(keys: KeyControl, { clock, log }: Sources): Promise<Family[]> {
  try {
    const { term, installTime, encryptions, halfFull } = await keys.status();
    const { enabled, maxOperations } = await keys.rotation();
    // Where no bound is set the one that the cipher has holds, and in a keyring that is half full.
    const limit = enabled && !halfFull ? maxOperations : MAX_OPERATIONS;
    const age = Math.max(0, clock.now() - Date.parse(installTime)) / 1000;
    return [
      single("gauge", "coffer_term", "The number of the active encryption key.", term),
      single("gauge", "coffer_term_age_seconds", "Time since the active encryption key was made.", age),
      single("gauge", "coffer_term_encryptions", "Encryptions under the active key, never too low.", encryptions),
      single("gauge", "coffer_term_encryptions_limit", "Encryptions that the active key may reach.", limit),
      single("gauge", "coffer_term_encryptions_ratio", "The share of that limit which is used.", encryptions / limit),
    ];
  } catch (error) {
    log.warn({ err: error }, "the metrics of the encryption key are left out: it could not be read");
    return [];
  }
}
