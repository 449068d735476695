/** What a running server says of itself. */
import * as v from "valibot";
import { checkAnswer, type Client } from "../client.ts";
import { asCliError } from "../errors.ts";
import { advise, type Check, mustDo, ok, unknown } from "./check.ts";

const Health = v.looseObject({
  initialized: v.boolean(),
  sealed: v.boolean(),
  version: v.string(),
  /** Seconds since 1970. */
  server_time_utc: v.number(),
});
/** Seconds: what a request may take, and what a whole second hides. */
const APART = 5;

/** Asks its health, which needs no token. `version`: this program's. */
export async function checkServer(client: Client, version: string, now: () => number): Promise<Check[]> {
  const failure = "error reading the health";
  try {
    const { body } = await client.request("GET", "sys/health", { failure, accept: () => true });
    const health = checkAnswer(Health, body, failure);
    return [stateOf(client.name, health, version), timeOf(health, now())];
  } catch (error) {
    const { message, hints } = asCliError(error);
    return [unknown("server", message, hints.join("; "))];
  }
}

/** `address`: which server was asked, for that need not be the one of the configuration. */
function stateOf(
  address: string,
  { initialized, sealed, version: running }: v.InferOutput<typeof Health>,
  version: string,
): Check {
  const name = "server";
  if (!initialized) return advise(name, `${address} answers and is not initialised`, "coffer operator init");
  if (sealed) return advise(name, `${address} answers and is sealed`, "coffer operator unseal");
  if (running !== version) {
    return advise(
      name,
      `${address} runs version ${running}; this is ${version}`,
      "restart it to run the version that is installed",
    );
  }
  return ok(name, `${address} answers and is unsealed, version ${running}`);
}

function timeOf({ server_time_utc }: v.InferOutput<typeof Health>, now: number): Check {
  const apart = Math.round(Math.abs(now / 1000 - server_time_utc));
  if (apart <= APART) return ok("server clock", "it agrees with this machine's");
  return mustDo("server clock", `it is ${apart} s apart from this machine's`, "keep both clocks by NTP");
}
