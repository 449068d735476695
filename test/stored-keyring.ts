/** The keyring of a store whose one share is known, as a reader sees it that shares no code with the barrier. */
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { ROOT_KEYS_PATH, unwrapRootKeys } from "../core/seal/root-keys.ts";
import { readKeyring, type VaultKeyring } from "./vault-format.ts";

/** `share`: the only one, in hex, which is the key that the root key is wrapped by. `frame`: the stored one unless given. */
export function storedKeyring(
  store: ReadonlyMap<string, Uint8Array>,
  share: string,
  frame = store.get(KEYRING_PATH) ?? new Uint8Array(),
): VaultKeyring {
  return readKeyring(rootKeyOf(store, share), frame);
}

export function rootKeyOf(store: ReadonlyMap<string, Uint8Array>, share: string): Uint8Array {
  const kek = new Uint8Array(Buffer.from(share, "hex"));
  const [rootKey] = unwrapRootKeys(kek, store.get(ROOT_KEYS_PATH) ?? new Uint8Array());
  if (rootKey === undefined) throw new Error("no root key is stored");
  return rootKey;
}
