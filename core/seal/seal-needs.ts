import type { Cluster } from "../cluster.ts";
import type { SealNeeds, SealStatus } from "../needs.ts";
import type { Seal } from "./seal.ts";

/** The seal as plugins see it: its state, and what moves it, without any key. */
export function sealNeeds(seal: Seal<{ readonly cluster: Cluster }>, storageType: string, version: string): SealNeeds {
  const status = async (): Promise<SealStatus> => {
    const config = await seal.config();
    const { given, nonce } = seal.progress;
    return {
      initialised: config !== undefined,
      sealed: seal.opened === undefined,
      threshold: config?.threshold ?? 0,
      shares: config?.shares ?? 0,
      progress: given,
      nonce,
      storageType,
      version,
      cluster: seal.opened?.cluster,
    };
  };
  return {
    status,
    init: (settings, handOver) => seal.init(settings, handOver),
    submit: async (share) => {
      await seal.submit(share);
      return status();
    },
    reset: async () => {
      await seal.reset();
      return status();
    },
    seal: () => seal.seal(),
  };
}
