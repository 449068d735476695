/**
 * What is done with the barrier's keys: their status, their rotation, keys derived for other purposes. Like every write
 * it passes the barrier's gate, so that nothing is changed once the barrier is closed.
 */
import type { Clock } from "../clock.ts";
import type { KeyStatus, RotationChange, RotationSettings } from "../needs.ts";
import type { Gate } from "./gate.ts";
import { activeTerm } from "./keyring.ts";
import type { KeyringStore } from "./keyring-store.ts";
import type { Meter } from "./meter.ts";
import {
  checkSettings,
  isHalfFull,
  rotateIfDue,
  type RotationLimits,
  settingsInForce,
  withSettings,
} from "./rotation.ts";

interface Parts {
  readonly keyring: KeyringStore;
  readonly meter: Meter;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly limits: RotationLimits;
}

export class KeyControl {
  readonly #keyring: KeyringStore;
  readonly #meter: Meter;
  readonly #gate: Gate;
  readonly #clock: Clock;
  readonly #limits: RotationLimits;

  constructor({ keyring, meter, gate, clock, limits }: Parts) {
    this.#keyring = keyring;
    this.#meter = meter;
    this.#gate = gate;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * The active term as it is stored, read past every cache, less what this node has reserved and not used: so its
   * `encryptions` are never too low, and too high by other nodes' rests at the most.
   */
  async status(): Promise<KeyStatus> {
    for (;;) {
      this.#gate.check();
      const before = await this.#meter.reservations();
      const keyring = await this.#keyring.read();
      const { term, installTime, encryptions } = activeTerm(keyring);
      const rest = this.#meter.rest(term);
      // A reservation that ran beside the read is in only one of the two numbers: read again.
      if ((await this.#meter.reservations()) !== before) continue;
      return {
        term,
        installTime,
        encryptions: encryptions - rest,
        halfFull: isHalfFull(keyring, this.#limits.maxKeyring),
      };
    }
  }

  /** Replaces the active term by a new one. Old values stay readable; when this resolves, new ones are under it. */
  async rotate(): Promise<void> {
    await this.#changing(async () => this.#meter.rotate(activeTerm(await this.#keyring.read()).term));
  }

  /** Replaces the active term if it has reached the age or the bound that are set. */
  async rotateIfDue(): Promise<void> {
    await this.#changing(() => this.#keyring.change((keyring) => rotateIfDue(keyring, this.#limits, this.#clock)));
  }

  /** The settings of rotation as they are stored. */
  async rotation(): Promise<RotationSettings> {
    this.#gate.check();
    return settingsInForce(await this.#keyring.read(), this.#limits);
  }

  /**
   * Changes the settings of rotation; what is undefined stays. A bound that the active term has reached already, or an
   * age, replaces the term in the same swap. Throws ApiError `invalid` with Vault's texts for what is out of bounds.
   */
  async configure(settings: RotationChange): Promise<void> {
    checkSettings(settings, this.#limits);
    await this.#changing(() =>
      this.#keyring.change((keyring) => {
        const changed = withSettings(keyring, settings);
        return changed && (rotateIfDue(changed, this.#limits, this.#clock) ?? changed);
      }),
    );
  }

  /** A key for another purpose than the keyring's, derived from the root key (HKDF); `purpose` names it for good. */
  deriveKey(purpose: string): Uint8Array {
    this.#gate.check();
    return this.#keyring.derive(purpose);
  }

  /** Whether `rootKey` is the one that the keyring is sealed under. Compared in constant time. */
  hasRootKey(rootKey: Uint8Array): boolean {
    this.#gate.check();
    return this.#keyring.hasRootKey(rootKey);
  }

  /** A change of the keyring. The next seal is under the term that is active then. */
  async #changing(change: () => Promise<unknown>): Promise<void> {
    await this.#gate.run(change);
    this.#meter.follow(this.#keyring.active.term);
  }
}
