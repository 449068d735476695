/**
 * The seal of one node: sealed, it knows no key; a threshold of shares opens it. The shares given so far are held in
 * this node's memory only, and are overwritten as soon as they have been used.
 *
 *     shares → KEK → root key (core/hsm/barrier-unseal-keys) → keyring (core/keyring) → barrier
 */
import type { Driver } from "../../storage/driver.ts";
import { Barrier } from "../barrier/barrier.ts";
import { asApiError } from "../barrier/gate.ts";
import { KEYRING_PATH } from "../barrier/keyring.ts";
import type { Clock } from "../clock.ts";
import { AuthenticationFailed, equal, KEY_BYTES, randomBytes } from "../crypto.ts";
import { uuidOf } from "../encoding.ts";
import { ApiError, invalid } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Initialised, InitSettings } from "../needs.ts";
import { initialise } from "./init.ts";
import { fingerprint, readRegister, REGISTER_PATH } from "./register.ts";
import { ROOT_KEYS_PATH, unwrapRootKeys } from "./root-keys.ts";
import { parseSealConfig, repairSealConfig, SEAL_CONFIG_PATH, type SealConfig } from "./seal-config.ts";
import { combine, coordinateOf, isShare, SHARE_BYTES } from "./shamir.ts";
import { parseShare } from "./share-text.ts";

export interface SealOptions<Opened> {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly log: Log;
  /** See BarrierOptions. */
  readonly minOperations: number;
  readonly metrics: Metrics | undefined;
  /** Builds the parts of the server that exist only while it is unsealed. When it throws, the node stays sealed. */
  readonly open: (barrier: Barrier) => Promise<Opened>;
}

export interface Progress {
  readonly given: number;
  /** Empty when no share has been given. */
  readonly nonce: string;
}

export class Seal<Opened> {
  readonly #options: SealOptions<Opened>;
  #opened: { readonly barrier: Barrier; readonly value: Opened } | undefined;
  #given: Uint8Array[] = [];
  #nonce = "";
  /** Shares, seals and inits of this node go one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SealOptions<Opened>) {
    this.#options = options;
  }

  /** What stands on the barrier; undefined while sealed. */
  get opened(): Opened | undefined {
    return this.#opened?.value;
  }

  get progress(): Progress {
    return { given: this.#given.length, nonce: this.#nonce };
  }

  /** How the store is sealed; undefined when it is not initialised. Throws ApiError `damaged` when it cannot be told. */
  async config(): Promise<SealConfig | undefined> {
    const { driver } = this.#options;
    const stored = await driver.get(SEAL_CONFIG_PATH);
    if (stored === undefined) {
      // A store that lost the entry is not a new one.
      if ((await driver.get(KEYRING_PATH)) === undefined) return undefined;
      throw new ApiError("damaged", `${SEAL_CONFIG_PATH} is missing, but ${KEYRING_PATH} is there`);
    }
    const config = parseSealConfig(stored);
    return config.kind === "config" ? config : undefined;
  }

  /** As `init` of SealNeeds. */
  init<T>(settings: InitSettings, handOver: (made: Initialised) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      // Whatever the storage says by now: what is unsealed is initialised.
      if (this.#opened !== undefined) throw invalid("Vault is already initialized");
      try {
        return await initialise(this.#options.driver, this.#options.clock, settings, handOver);
      } catch (error) {
        throw asApiError(error);
      }
    });
  }

  /**
   * Takes one share. A share that was given already changes nothing; one that cannot be a share of this coffer is
   * refused and the others stay; a threshold of shares that does not open the store is forgotten. Throws ApiError
   * `invalid` with Vault's texts.
   */
  submit(text: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#opened !== undefined) return;
      const config = await this.config();
      if (config === undefined) throw invalid("Vault is not initialized");
      this.#take(parseShare(text), config.threshold);
      if (this.#given.length < config.threshold) return;
      const shares = this.#given;
      this.#forget();
      try {
        await this.#unseal(shares, config);
      } finally {
        for (const share of shares) share.fill(0);
      }
    });
  }

  /** Forgets the shares that were given so far. */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#opened !== undefined) throw invalid("vault is unsealed");
      for (const share of this.#given) share.fill(0);
      this.#forget();
    });
  }

  /**
   * Seals what is open now: writes in flight settle, the meter gives back its rest, the keys are overwritten. Who asks
   * while the node is sealed shows no token: an unseal that is under way then is none of theirs.
   */
  async seal(): Promise<void> {
    if (this.#opened !== undefined) await this.#end(this.#opened.barrier);
  }

  /** Seals, also what an unseal under way is about to open. */
  close(): Promise<void> {
    return this.#end(undefined);
  }

  /** Seals if `barrier` is the one that is open; undefined: whichever is. */
  #end(barrier: Barrier | undefined): Promise<void> {
    return this.#inTurn(async () => {
      const opened = this.#opened;
      if (opened === undefined || (barrier !== undefined && opened.barrier !== barrier)) return;
      this.#opened = undefined;
      try {
        await opened.barrier.close();
      } catch (error) {
        // Sealed all the same. What was not given back stays counted.
        this.#options.log.warn(
          { err: error },
          "sealed, but the unused rest of reserved encryptions was not given back",
        );
      }
    });
  }

  /** Adds a share to those given; one that was given already, or is refused, is overwritten. */
  #take(share: Uint8Array, threshold: number): void {
    const isNew = !this.#given.some((known) => equal(known, share));
    try {
      if (isNew) this.#add(share, threshold);
    } finally {
      if (!this.#given.includes(share)) share.fill(0);
    }
  }

  #add(share: Uint8Array, threshold: number): void {
    if (threshold > 1) {
      if (share.length === SHARE_BYTES && !isShare(share)) throw refused("a share has no x coordinate of 0");
      if (!isShare(share)) throw refused("all parts must be the same length");
      if (this.#given.some((known) => coordinateOf(known) === coordinateOf(share)))
        throw refused("duplicate part detected");
    }
    if (this.#given.length === 0) this.#nonce = uuidOf(randomBytes(16));
    this.#given.push(share);
  }

  #forget(): void {
    this.#given = [];
    this.#nonce = "";
  }

  async #unseal(shares: readonly Uint8Array[], config: SealConfig): Promise<void> {
    const kek = config.threshold === 1 ? shares[0]?.slice() : await combine(shares);
    if (kek === undefined) throw new Error("no share was given");
    try {
      const barrier = await this.#openBarrier(kek);
      try {
        await this.#checkRegister(barrier, kek, config);
        this.#opened = { barrier, value: await this.#options.open(barrier) };
      } catch (error) {
        await barrier.close().catch(() => undefined);
        throw error;
      }
    } finally {
      kek.fill(0);
    }
  }

  async #openBarrier(kek: Uint8Array): Promise<Barrier> {
    const { driver, clock, log, minOperations, metrics } = this.#options;
    const blob = await driver.get(ROOT_KEYS_PATH);
    if (blob === undefined) throw new ApiError("damaged", `the wrapped root key at ${ROOT_KEYS_PATH} is missing`);
    let barrier: Barrier | undefined;
    const onOtherHistory = () => {
      log.error({}, "the store holds another history than the one that was unsealed: sealing");
      if (barrier !== undefined) void this.#end(barrier);
    };
    barrier = await Barrier.open(unwrap(kek, blob, log), { driver, clock, onOtherHistory, minOperations, metrics });
    return barrier;
  }

  /**
   * The register is what counts: it is authenticated, and `core/seal-config`, which must be readable while sealed, is
   * not. Where they differ the configuration is repaired.
   */
  async #checkRegister(barrier: Barrier, kek: Uint8Array, config: SealConfig): Promise<void> {
    const { driver, log } = this.#options;
    const { register } = await readRegister(barrier);
    if (register.kek !== fingerprint(kek)) throw new ApiError("damaged", `${REGISTER_PATH} belongs to other shares`);
    if (config.shares === register.shares.length && config.threshold === register.threshold) return;
    log.warn({}, `${SEAL_CONFIG_PATH} did not agree with the register of shares: repaired`);
    try {
      await repairSealConfig(driver, barrier);
    } catch (error) {
      // Nothing depends on it: the next unseal tries again.
      log.warn({ err: error }, `${SEAL_CONFIG_PATH} could not be repaired`);
    }
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act, act);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function unwrap(kek: Uint8Array, blob: Uint8Array, log: Log): Uint8Array[] {
  const failed = "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher:";
  if (kek.length !== KEY_BYTES)
    throw invalid(`invalid key: failed to setup unseal key: crypto/aes: invalid key size ${kek.length}`);
  try {
    return unwrapRootKeys(kek, blob);
  } catch (error) {
    if (!(error instanceof AuthenticationFailed)) throw error;
    log.warn(
      {},
      `a set of shares does not open ${ROOT_KEYS_PATH}: one of them is wrong, or ${SEAL_CONFIG_PATH} names too few of them, or the entry is damaged`,
    );
    throw invalid(`${failed} ${error.message}`);
  }
}

function refused(why: string): ApiError {
  return invalid(`invalid key: failed to compute combined key: ${why}`);
}
