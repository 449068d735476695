import * as v from "valibot";
import type { Barrier } from "./barrier/barrier.ts";
import { randomBytes } from "./crypto.ts";
import { toHex, utf8, uuidOf } from "./encoding.ts";
import { ApiError } from "./errors.ts";
import { parseStored } from "./stored-json.ts";

/** The name and id that clients read in `sys/health` and `sys/seal-status`, in Vault's JSON. */
export const CLUSTER_PATH = "core/cluster/local/info";

const schema = v.object({ name: v.string(), id: v.string() });

export type Cluster = Readonly<v.InferOutput<typeof schema>>;

/** A name and an id for a new coffer, as they are stored. */
export function newCluster(): Uint8Array {
  return utf8(
    JSON.stringify({
      name: `coffer-cluster-${toHex(randomBytes(4))}`,
      id: uuidOf(randomBytes(16)),
    }),
  );
}

export async function readCluster(barrier: Barrier): Promise<Cluster> {
  const stored = await barrier.get(CLUSTER_PATH);
  if (stored === undefined) throw new ApiError("damaged", `${CLUSTER_PATH} is missing`);
  return parseStored(schema, stored, CLUSTER_PATH, "cluster name");
}
