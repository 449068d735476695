/**
 * The ceremony of generate-share: a threshold of custodians makes one further share, encrypted to its new holder.
 *
 * A running attempt is part of the register's one entry, so start, share, cancel, expiry and issue are swaps on the same
 * bytes and exclude each other; any node carries an attempt on, also after a restart. A given share is sealed on its
 * own under a key that only this attempt has. The last share is never stored: the request that brings it verifies
 * everything, writes the encrypted share under a random name, and commits by one swap of the register.
 */
import type { Driver } from "../../storage/driver.ts";
import type { Barrier } from "../barrier/barrier.ts";
import type { Clock } from "../clock.ts";
import { randomBytes } from "../crypto.ts";
import { fromBase64, toBase64, toHex } from "../encoding.ts";
import { ApiError, invalid } from "../errors.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { CeremonyNeeds, CeremonyStatus } from "../needs.ts";
import { openGiven, sealGiven } from "./given-share.ts";
import { makeShare } from "./new-share.ts";
import { parseRecipient, type Recipient } from "./pgp.ts";
import {
  type Attempt,
  encodeRegister,
  freeCoordinate,
  issuedAs,
  readRegister,
  REGISTER_PATH,
  type Register,
  withShare,
} from "./register.ts";
import { repairSealConfig } from "./seal-config.ts";
import { coordinateOf, isShare } from "./shamir.ts";
import { parseShare } from "./share-text.ts";

/** An attempt to which nobody gives a share for so long is over; so long the last answer can be had again. */
const LASTS_MS = 3_600_000;
/** Where encrypted shares lie, each under a random name. */
const SHARES = "core/shares/";

interface Stored {
  readonly register: Register;
  /** As it is stored, for the swap. */
  readonly stored: Uint8Array;
}

export class Ceremony implements CeremonyNeeds {
  readonly #barrier: Barrier;
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #metrics: Metrics | undefined;

  constructor(barrier: Barrier, driver: Driver, clock: Clock, metrics: Metrics | undefined) {
    this.#barrier = barrier;
    this.#driver = driver;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  async status(): Promise<CeremonyStatus> {
    const { register } = await this.#expireThenRead();
    return statusOf(register);
  }

  /** Takes an attempt that has expired out of the store, with the shares that were given to it. */
  async expire(): Promise<void> {
    await this.#expireThenRead();
  }

  async start(pgpKey: string): Promise<CeremonyStatus> {
    const recipient = await parseRecipient(pgpKey, this.#clock.now());
    // A node that died between an issue and this may have left the smaller number.
    await repairSealConfig(this.#driver, this.#barrier);
    for (;;) {
      const there = await this.#barrier.list(SHARES);
      const { register, stored } = await this.#expireThenRead();
      refuseStart(register);
      await this.#sweep(there, register);
      const { last: _forgotten, ...rest } = register;
      const started: Register = {
        ...rest,
        attempt: {
          id: toHex(randomBytes(16)),
          recipient: { fingerprint: recipient.fingerprint, key: toBase64(recipient.key) },
          touched: this.#clock.now(),
          given: [],
        },
      };
      if (!(await this.#swap(stored, started))) continue;
      this.#metrics?.attempt("started");
      return statusOf(started);
    }
  }

  async cancel(): Promise<void> {
    for (;;) {
      const { register, stored } = await this.#expireThenRead();
      if (register.attempt === undefined) return;
      if (!(await this.#swap(stored, withoutAttempt(register)))) continue;
      this.#metrics?.attempt("cancelled");
      return;
    }
  }

  async submit(shareText: string, fingerprint: string | undefined): Promise<CeremonyStatus> {
    const share = parseShare(shareText);
    try {
      for (;;) {
        const { register, stored } = await this.#expireThenRead();
        const { attempt } = register;
        if (attempt === undefined) return await this.#repeat(register, share, fingerprint);
        refuseShare(register, attempt, share, fingerprint);
        const status =
          attempt.given.length + 1 < register.threshold
            ? await this.#keep(register, stored, attempt, share)
            : await this.#complete(register, stored, attempt, share);
        // Undefined: something else happened to the register first; decided anew.
        if (status !== undefined) return status;
      }
    } finally {
      share.fill(0);
    }
  }

  /**
   * Deletes encrypted shares that a node wrote and, dying, never named: each is a share that nobody was to have. What
   * was there before a register without an attempt was read can not be named any more.
   */
  async #sweep(there: readonly string[], { shares }: Register): Promise<void> {
    const named = new Set(shares.map(({ ciphertext }) => ciphertext));
    for (const path of there.map((name) => SHARES + name)) if (!named.has(path)) await this.#barrier.delete(path);
  }

  /** Adds a share to the attempt; undefined when the register was changed in between. */
  async #keep(
    register: Register,
    stored: Uint8Array,
    attempt: Attempt,
    share: Uint8Array,
  ): Promise<CeremonyStatus | undefined> {
    const key = this.#keyOf(attempt);
    const given = sealGiven(key, attempt.id, share);
    key.fill(0);
    const kept = { ...attempt, touched: this.#clock.now(), given: [...attempt.given, given] };
    const changed: Register = { ...register, attempt: kept };
    return (await this.#swap(stored, changed)) ? statusOf(changed) : undefined;
  }

  /** Makes the new share; undefined when the register was changed in between. Until its swap nothing has changed. */
  async #complete(
    register: Register,
    stored: Uint8Array,
    attempt: Attempt,
    last: Uint8Array,
  ): Promise<CeremonyStatus | undefined> {
    const x = freeCoordinate(register);
    if (x === undefined) throw invalid("all 255 shares have been issued");
    const recipient = recipientOf(attempt);
    const key = this.#keyOf(attempt);
    const opened: Uint8Array[] = [];
    try {
      for (const kept of attempt.given) opened.push(openGiven(key, attempt.id, kept));
      const given = [...opened, last];
      using made = await makeShare({
        driver: this.#driver,
        barrier: this.#barrier,
        register,
        given,
        x,
        recipient,
        now: this.#clock.now(),
      });
      const ciphertext = SHARES + toHex(randomBytes(16));
      await this.#barrier.put(ciphertext, made.message);
      const by = given.map(coordinateOf);
      const issued = { recipient: recipient.fingerprint, by, ciphertext };
      const changed = withShare(register, made.share, issued, this.#clock.now());
      if (!(await this.#swap(stored, changed))) {
        await this.#barrier.delete(ciphertext);
        return undefined;
      }
      this.#metrics?.attempt("completed");
      await made.confirm();
      await repairSealConfig(this.#driver, this.#barrier);
      return finished(changed, recipient.fingerprint, made.message);
    } finally {
      key.fill(0);
      for (const share of opened) share.fill(0);
    }
  }

  /** A lost last answer loses nothing: whoever gave a share to the last attempt can have it again for a while. */
  async #repeat(register: Register, share: Uint8Array, fingerprint: string | undefined): Promise<CeremonyStatus> {
    const none = invalid("no share generation in progress");
    const { last } = register;
    if (last === undefined || this.#isPast(last.at) || !isShare(share)) throw none;
    const issued = register.shares.find(({ x }) => x === last.x);
    if (issued?.ciphertext === undefined || issued.by?.includes(coordinateOf(share)) !== true) throw none;
    if (issuedAs(register, share) === undefined) throw none;
    refuseFingerprint(issued.recipient, fingerprint);
    await repairSealConfig(this.#driver, this.#barrier);
    const message = await this.#barrier.get(issued.ciphertext);
    if (message === undefined) throw new ApiError("damaged", `the encrypted share at ${issued.ciphertext} is missing`);
    return finished(register, issued.recipient ?? "", message);
  }

  /** The register; an attempt that has expired is taken out of it, and of the store. */
  async #expireThenRead(): Promise<Stored> {
    for (;;) {
      const read = await readRegister(this.#barrier);
      const { attempt } = read.register;
      if (attempt === undefined || !this.#isPast(attempt.touched)) return read;
      if (await this.#swap(read.stored, withoutAttempt(read.register))) this.#metrics?.attempt("expired");
    }
  }

  /** Whether `at` is too long ago; or that far ahead, which only a clock that has since been set right can have said. */
  #isPast(at: number): boolean {
    return Math.abs(this.#clock.now() - at) >= LASTS_MS;
  }

  async #swap(was: Uint8Array, register: Register): Promise<boolean> {
    return (await this.#barrier.swap(REGISTER_PATH, was, encodeRegister(register))) !== undefined;
  }

  #keyOf(attempt: Attempt): Uint8Array {
    return this.#barrier.keys.deriveKey(`coffer generate-share ${attempt.id}`);
  }
}

function refuseStart(register: Register): void {
  if (register.threshold === 1) {
    throw invalid(
      "this coffer has one key share, which is the key itself: for a threshold, initialise a new coffer with several shares",
    );
  }
  if (register.attempt !== undefined) throw invalid("share generation already in progress");
  if (freeCoordinate(register) === undefined) throw invalid("all 255 shares have been issued");
}

/** Whatever is wrong with a share is told at once, and leaves the attempt as it was. */
function refuseShare(register: Register, attempt: Attempt, share: Uint8Array, fingerprint: string | undefined): void {
  refuseFingerprint(attempt.recipient.fingerprint, fingerprint);
  if (!isShare(share)) throw invalid("invalid key: a key share has 33 bytes, the last of which is not 0");
  if (issuedAs(register, share) === undefined) throw invalid("wrong key share: it is none of this coffer's");
  if (attempt.given.some(({ x }) => x === coordinateOf(share))) {
    throw invalid("given key has already been provided during this generation operation");
  }
}

/** `given`: as the custodian sent it, in either case and with spaces, if at all. */
function refuseFingerprint(recipient: string | undefined, given: string | undefined): void {
  if (given !== undefined && given.toLowerCase().replaceAll(/\s/g, "") !== recipient) {
    throw invalid("pgp_fingerprint is not the one of this attempt: the share was not counted");
  }
}

function withoutAttempt(register: Register): Register {
  const { attempt: _over, ...rest } = register;
  return rest;
}

function recipientOf({ recipient }: Attempt): Recipient {
  const key = fromBase64(recipient.key);
  if (key === undefined) throw new ApiError("damaged", `${REGISTER_PATH} holds an attempt without a PGP key`);
  return { fingerprint: recipient.fingerprint, key };
}

function statusOf({ attempt, threshold }: Register): CeremonyStatus {
  const fingerprint = attempt?.recipient.fingerprint ?? "";
  const progress = attempt?.given.length ?? 0;
  return { started: attempt !== undefined, progress, required: threshold, fingerprint, message: undefined };
}

function finished({ threshold }: Register, fingerprint: string, message: Uint8Array): CeremonyStatus {
  return { started: true, progress: threshold, required: threshold, fingerprint, message };
}
