/**
 * The keyring where it is stored. Everything about keys (a reservation, a rotation, a change of its settings) is a
 * compare-and-swap on this one entry, so that any number of nodes may try at once and none overwrites another.
 */
import type { Driver } from "../../storage/driver.ts";
import { AuthenticationFailed, equal, hkdfSha256, KEY_BYTES } from "../crypto.ts";
import { sameBytes } from "../encoding.ts";
import { ApiError } from "../errors.ts";
import { activeTerm, type Keyring, KEYRING_PATH, openKeyring, sealKeyring, type Term, wipeKeyring } from "./keyring.ts";

export class KeyringStore {
  readonly #driver: Driver;
  readonly #rootKey: Uint8Array;
  readonly #onOtherHistory: () => void;
  #keyring: Keyring;
  /** The stored form of that keyring. A fresh nonce makes each unique, so the same bytes need not be opened again. */
  #frame: Uint8Array;
  #keys: ReadonlyMap<number, Uint8Array>;
  #wiped = false;

  private constructor(
    driver: Driver,
    rootKey: Uint8Array,
    { keyring, frame }: { readonly keyring: Keyring; readonly frame: Uint8Array },
    onOtherHistory: () => void,
  ) {
    this.#driver = driver;
    this.#onOtherHistory = onOtherHistory;
    this.#rootKey = rootKey;
    this.#keyring = keyring;
    this.#frame = frame;
    this.#keys = keysOf(keyring);
  }

  /**
   * Opens the stored keyring with the first of `rootKeys` that fits. Throws ApiError `damaged` when there is none, or
   * when it opens under no key: the store is then not what the shares belong to. The keys that are not used are
   * overwritten.
   */
  static async open(
    driver: Driver,
    rootKeys: readonly Uint8Array[],
    onOtherHistory: () => void,
  ): Promise<KeyringStore> {
    const frame = await load(driver);
    let opened: { readonly rootKey: Uint8Array; readonly keyring: Keyring } | undefined;
    for (const rootKey of rootKeys) {
      const keyring = opened === undefined ? tryOpen(rootKey, frame) : undefined;
      if (keyring === undefined) rootKey.fill(0);
      else opened = { rootKey, keyring };
    }
    if (opened === undefined) throw damaged("message authentication failed");
    const { rootKey, keyring } = opened;
    return new KeyringStore(driver, rootKey, { keyring, frame }, onOtherHistory);
  }

  /** The active term as this node last saw it; its count may be old. */
  get active(): Term {
    return activeTerm(this.#keyring);
  }

  /** The key of `term`, as far as this node knows. */
  key(term: number): Uint8Array | undefined {
    return this.#keys.get(term);
  }

  /** Reads the keyring past every cache. A term that another node added is known afterwards. */
  async read(): Promise<Keyring> {
    return this.#adopt(await load(this.#driver));
  }

  /**
   * Swaps in what `decide` makes of the stored keyring; when another node was faster, `decide` is asked again about the
   * new one. Returns the keyring that is stored then: `decide`'s, or, when it returned undefined, the one it was asked
   * about. Rejects with the driver's Unknown when the outcome cannot be told.
   */
  async change(decide: (keyring: Keyring) => Keyring | undefined): Promise<Keyring> {
    for (;;) {
      const frame = await load(this.#driver);
      const stored = this.#adopt(frame);
      const changed = decide(stored);
      if (changed === undefined) return stored;
      const sealed = sealKeyring(changed);
      if (await this.#driver.swap(KEYRING_PATH, frame, sealed)) {
        this.#keep(changed, sealed);
        return changed;
      }
    }
  }

  derive(purpose: string): Uint8Array {
    return hkdfSha256(this.#rootKey, purpose, KEY_BYTES);
  }

  hasRootKey(rootKey: Uint8Array): boolean {
    return equal(this.#rootKey, rootKey);
  }

  /** Overwrites the keys in memory. Nothing can be sealed or opened with this object afterwards. */
  wipe(): void {
    this.#wiped = true;
    wipeKeyring(this.#keyring);
    this.#rootKey.fill(0);
    this.#keys = new Map();
  }

  #adopt(frame: Uint8Array): Keyring {
    // A read that was under way when the node was sealed: without its key nothing can be said of the frame.
    if (this.#wiped) throw new ApiError("sealed");
    if (sameBytes(frame, this.#frame)) return this.#keyring;
    const keyring = tryOpen(this.#rootKey, frame);
    if (keyring === undefined) throw damaged("message authentication failed");
    // A store that was put back from a copy is another history: its terms and counts do not continue ours.
    if (keyring.incarnation !== this.#keyring.incarnation) {
      this.#onOtherHistory();
      throw damaged("it belongs to another history of the store");
    }
    this.#keep(keyring, frame);
    return keyring;
  }

  /** What was read or stored before a change, and comes back after it, must not take back a term that is in use. */
  #keep(keyring: Keyring, frame: Uint8Array): void {
    if (activeTerm(keyring).term < this.active.term) return;
    this.#keyring = keyring;
    this.#frame = frame;
    this.#keys = keysOf(keyring);
  }
}

async function load(driver: Driver): Promise<Uint8Array> {
  const frame = await driver.get(KEYRING_PATH);
  if (frame === undefined) throw damaged("it is missing");
  return frame;
}

function tryOpen(rootKey: Uint8Array, frame: Uint8Array): Keyring | undefined {
  try {
    return openKeyring(rootKey, frame);
  } catch (error) {
    if (error instanceof AuthenticationFailed) return undefined;
    throw damaged(error instanceof Error ? error.message : "it cannot be read", error);
  }
}

function keysOf(keyring: Keyring): ReadonlyMap<number, Uint8Array> {
  return new Map(keyring.terms.map(({ term, key }) => [term, key]));
}

function damaged(why: string, cause?: unknown): ApiError {
  return new ApiError("damaged", `cannot use the keyring at ${KEYRING_PATH}: ${why}`, { cause });
}
