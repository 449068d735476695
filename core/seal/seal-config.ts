/**
 * `core/seal-config`: how many shares there are and how many it takes. Not encrypted, because it must be read while
 * sealed, in Vault's six fields:
 *
 *     {"type":"shamir","secret_shares":5,"secret_threshold":3,"pgp_keys":null,"nonce":"","backup":false}
 *
 * While a store is being initialised a *claim* stands in its place, so that only one node does it.
 */
import * as v from "valibot";
import type { Driver } from "../../storage/driver.ts";
import type { Barrier } from "../barrier/barrier.ts";
import { sameBytes, utf8 } from "../encoding.ts";
import { parseStored } from "../stored-json.ts";
import { readRegister } from "./register.ts";
import { MAX_SHARES } from "./shamir.ts";

export const SEAL_CONFIG_PATH = "core/seal-config";

export interface SealConfig {
  readonly kind: "config";
  readonly shares: number;
  readonly threshold: number;
}

export interface InitClaim {
  readonly kind: "claim";
  /** Random: tells one init from another. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_SHARES));
const schema = v.union([
  v.pipe(
    v.object({ type: v.literal("shamir"), secret_shares: count, secret_threshold: count }),
    v.check(({ secret_shares: n, secret_threshold: t }) => t <= n && (t > 1 || n === 1)),
  ),
  v.strictObject({ type: v.literal("initialising"), id: v.string(), at: v.number() }),
]);

/** Throws ApiError `damaged` for what is neither a configuration nor a claim. */
export function parseSealConfig(stored: Uint8Array): SealConfig | InitClaim {
  const output = parseStored(schema, stored, SEAL_CONFIG_PATH, "seal configuration");
  if (output.type === "initialising") return { kind: "claim", id: output.id, at: output.at };
  return { kind: "config", shares: output.secret_shares, threshold: output.secret_threshold };
}

export function encodeSealConfig({ shares, threshold }: { shares: number; threshold: number }): Uint8Array {
  return utf8(
    JSON.stringify({
      type: "shamir",
      secret_shares: shares,
      secret_threshold: threshold,
      pgp_keys: null,
      nonce: "",
      backup: false,
    }),
  );
}

export function encodeClaim({ id, at }: Omit<InitClaim, "kind">): Uint8Array {
  return utf8(JSON.stringify({ type: "initialising", id, at }));
}

/**
 * Makes the configuration say what the register says. It is read before the register, whose shares only become more: so
 * a node that another one overtakes loses its swap, rather than putting a smaller number back.
 */
export async function repairSealConfig(driver: Driver, barrier: Barrier): Promise<void> {
  for (;;) {
    const stored = await driver.get(SEAL_CONFIG_PATH);
    const { register } = await readRegister(barrier);
    const right = encodeSealConfig({ shares: register.shares.length, threshold: register.threshold });
    if (stored !== undefined && sameBytes(stored, right)) return;
    if (await driver.swap(SEAL_CONFIG_PATH, stored, right)) return;
  }
}
