/**
 * Makes a further share from exactly a threshold of shares, and proves it before anybody relies on it: what they combine
 * to is the KEK, the KEK unwraps the root key of this barrier, and the new share in the place of one of theirs gives
 * the same KEK.
 */
import type { Driver } from "../../storage/driver.ts";
import type { Barrier } from "../barrier/barrier.ts";
import { AuthenticationFailed, equal } from "../crypto.ts";
import { toBase64 } from "../encoding.ts";
import { ApiError, invalid } from "../errors.ts";
import { encryptTo, type Recipient } from "./pgp.ts";
import { fingerprint, type Register } from "./register.ts";
import { ROOT_KEYS_PATH, unwrapRootKeys } from "./root-keys.ts";
import { combine, extend } from "./shamir.ts";

interface Making {
  readonly driver: Driver;
  readonly barrier: Barrier;
  readonly register: Register;
  /** A threshold of shares. */
  readonly given: readonly Uint8Array[];
  /** The new share's coordinate. */
  readonly x: number;
  readonly recipient: Recipient;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Disposing of it overwrites the share and the KEK. */
interface Made extends Disposable {
  readonly share: Uint8Array;
  /** The share's base64 text, encrypted to the recipient: a binary PGP message. */
  readonly message: Uint8Array;
  /** To be called when the share is registered: throws when the KEK was replaced in between, and the share is void. */
  confirm(): Promise<void>;
}

export async function makeShare(making: Making): Promise<Made> {
  const { given, register, x, recipient, now } = making;
  const kek = await combine(given);
  const secrets = [kek];
  const wipe = () => {
    for (const secret of secrets) secret.fill(0);
  };
  try {
    if (fingerprint(kek) !== register.kek || !(await opens(making, kek))) {
      throw invalid("the shares given do not combine to the key of this coffer");
    }
    const share = await extend(given, x);
    secrets.push(share);
    const again = await combine([share, ...given.slice(1)]);
    secrets.push(again);
    if (!equal(again, kek)) throw new Error("the new share does not give the key");
    return {
      share,
      message: await encryptTo(recipient, toBase64(share), now),
      async confirm() {
        if (!(await opens(making, kek))) throw invalid("the key was changed meanwhile: the new share is void");
      },
      [Symbol.dispose]: wipe,
    };
  } catch (error) {
    wipe();
    throw error;
  }
}

/** Whether `kek` unwraps the root key of this barrier, as it is stored now. */
async function opens({ driver, barrier }: Making, kek: Uint8Array): Promise<boolean> {
  const blob = await driver.get(ROOT_KEYS_PATH);
  if (blob === undefined) throw new ApiError("damaged", `the wrapped root key at ${ROOT_KEYS_PATH} is missing`);
  let rootKeys: readonly Uint8Array[] = [];
  try {
    rootKeys = unwrapRootKeys(kek, blob);
    return rootKeys.some((rootKey) => barrier.keys.hasRootKey(rootKey));
  } catch (error) {
    if (error instanceof AuthenticationFailed) return false;
    throw error;
  } finally {
    for (const rootKey of rootKeys) rootKey.fill(0);
  }
}
