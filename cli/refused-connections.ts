import { plainAddress } from "../core/access/ip-address.ts";
import type { Log } from "../core/log.ts";
import type { Family } from "../core/metrics/family.ts";
import { Tally } from "../core/metrics/tally.ts";
import { type OnRefused, type Refusal, REFUSALS } from "./http/refusal.ts";

/**
 * What never gets to the app, or not from it to the client, and so is in neither its log nor its numbers: counted here. Told at debug only, for anybody
 * who reaches the listener could fill a log with it.
 */
export class RefusedConnections {
  readonly #counts = new Tally<Refusal>(REFUSALS);
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  readonly add: OnRefused = (reason, why, address) => {
    this.#counts.add(reason);
    this.#log.debug({ reason, why, remote_address: address && plainAddress(address) }, "connection refused");
  };

  family(): Family {
    const help =
      "Connections that ended for a malformed request, a failed TLS handshake, want of room, or answers that were not taken.";
    return this.#counts.family("coffer_connections_refused_total", help, "reason");
  }
}
