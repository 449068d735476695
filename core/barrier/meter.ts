/**
 * The meter counts encryptions by reservation. What is stored for a term is the total that nodes have reserved under
 * it; a node reserves a block before it uses it, and never seals without one. So the stored count is never below what
 * was done, whatever dies when: a crash only leaves the unused rest of a block counted.
 *
 * A block is believed for {@link FRESH_MS}. Then the keyring is read again before anything is sealed: the rest stays
 * usable if its term is still the active one, else it is forfeited (it stays counted). So a node seals under a term for
 * at most that long after another node has replaced it.
 */
import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { activeTerm, type Keyring, type Term, withEncryptions } from "./keyring.ts";
import type { KeyringStore } from "./keyring-store.ts";
import { reserve, roomIn, type RotationLimits, withNewTerm } from "./rotation.ts";

/** How long a block is believed without reading the keyring, by either clock. */
export const FRESH_MS = 5000;
/** The first block is small: most processes that seal once (a command, an init) seal little. */
const FIRST_BLOCK = 64;
const LARGEST_BLOCK = 524_288;
/** A block is made to last this long at the present rate, so that the keyring is written every few seconds at most. */
const BLOCK_LASTS_MS = 4000;
/** A single burst must not take a huge block, whose rest a crash would leave counted. */
const LARGEST_GROWTH = 16;

interface Block {
  readonly term: Term;
  left: number;
  /** When this many are left the next block is fetched in the background. */
  refillAt: number;
  /** Both clocks, read before the keyring was. */
  wall: number;
  monotonic: number;
}

export class Meter {
  readonly #keyring: KeyringStore;
  readonly #clock: Clock;
  readonly #limits: RotationLimits;
  #block: Block | undefined;
  #refilling: Promise<void> | undefined;
  #lastSize = FIRST_BLOCK;
  #lastReserved: number;
  #usedSince = 0;
  #reservations = 0;
  #closed = false;

  constructor(keyring: KeyringStore, clock: Clock, limits: RotationLimits) {
    this.#keyring = keyring;
    this.#clock = clock;
    this.#limits = limits;
    this.#lastReserved = clock.monotonic();
  }

  /**
   * Takes one encryption: the term to seal under, or undefined when {@link refill} must be awaited first. The caller
   * seals before it awaits anything, so that no time passes between the check of the block and its use.
   */
  take(): Term | undefined {
    const block = this.#block;
    if (this.#closed) throw new ApiError("sealed");
    if (block === undefined || block.left === 0 || this.#lapsed(block)) return undefined;
    block.left -= 1;
    this.#usedSince += 1;
    if (block.left <= block.refillAt && this.#refilling === undefined) {
      // What fails here fails again, and is reported, when the block is used up and a seal has to wait for the next.
      void this.refill().catch(() => undefined);
    }
    return block.term;
  }

  /** Makes an encryption available: a read of the keyring when the block has lapsed, a reservation when it runs out. */
  refill(): Promise<void> {
    return this.#refilling ?? this.#alone(() => this.#refill());
  }

  /**
   * Replaces the active term `meant` and goes on with a block of the new one; when another node has replaced it already,
   * nothing is changed. Seals under way go on under the old term until the new one is stored.
   */
  async rotate(meant: number): Promise<void> {
    // Not beside a reservation; and nothing may come between its end and the beginning of this one.
    while (this.#refilling !== undefined) await this.#refilling.catch(() => undefined);
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    const rotated = this.#reserve(wall, monotonic, (keyring, wanted) => {
      if (activeTerm(keyring).term !== meant) return undefined;
      return reserve(withNewTerm(keyring, this.#limits, wall), wanted, this.#limits, this.#clock);
    });
    // Seals that wait for encryptions wait for this, too; its failure is not theirs.
    void this.#alone(async () => void (await rotated.catch(() => undefined)));
    await rotated;
  }

  /** Lets go of a block of another term than `active`, so that the next seal is under the active one. */
  follow(active: number): void {
    if (this.#block !== undefined && this.#block.term.term !== active) this.#block = undefined;
  }

  /** How many reservations this node has made, once none is under way. */
  async reservations(): Promise<number> {
    while (this.#refilling !== undefined) await this.#refilling.catch(() => undefined);
    return this.#reservations;
  }

  /** How many of `term`'s stored encryptions this node has reserved and not used, and could still use. */
  rest(term: number): number {
    return this.#block?.term.term === term ? this.#block.left : 0;
  }

  /**
   * Ends the meter and gives the rest of its block back, once, to the term and incarnation it came from or nowhere. To
   * be called when sealing has stopped and every put has settled. When the outcome of that swap is unknown, or it
   * fails, the rest is forfeited: too high a count is safe, a second try could make it too low.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#refilling !== undefined) await this.#refilling.catch(() => undefined);
    const block = this.#block;
    this.#block = undefined;
    if (block === undefined || block.left === 0) return;
    // KeyringStore refuses a keyring of another incarnation before it asks.
    await this.#keyring.change((keyring) => withEncryptions(keyring, block.term.term, -block.left));
  }

  /** Runs what changes the block; {@link refill} and {@link reservations} wait for it. */
  #alone(work: () => Promise<void>): Promise<void> {
    this.#refilling = work().finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  #lapsed(block: Block): boolean {
    const wall = this.#clock.now();
    return this.#clock.monotonic() - block.monotonic >= FRESH_MS || wall - block.wall >= FRESH_MS || wall < block.wall;
  }

  async #refill(): Promise<void> {
    if (this.#closed) throw new ApiError("sealed");
    const wall = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const held = this.#block;
    if (held !== undefined && held.left > held.refillAt) {
      const keyring = await this.#keyring.read();
      if (activeTerm(keyring).term === held.term.term) {
        held.wall = wall;
        held.monotonic = monotonic;
        return;
      }
    }
    const reserved = await this.#reserve(wall, monotonic, (keyring, wanted) => {
      // A term at its bound is replaced when what is left of it here is used up, and not before.
      const hasRest = held !== undefined && held.left > 0 && held.term.term === activeTerm(keyring).term;
      if (hasRest && roomIn(keyring, this.#limits) <= 0) return undefined;
      return reserve(keyring, wanted, this.#limits, this.#clock);
    });
    if (reserved || held === undefined) return;
    held.refillAt = 0;
    held.wall = wall;
    held.monotonic = monotonic;
  }

  /**
   * Swaps in the keyring that `decide` makes, and takes what it grants under that keyring's active term. Undefined:
   * nothing is to be changed, nothing is taken, and this resolves with false. `wall` and `monotonic` were read before.
   */
  async #reserve(
    wall: number,
    monotonic: number,
    decide: (keyring: Keyring, wanted: number) => { keyring: Keyring; granted: number } | undefined,
  ): Promise<boolean> {
    const wanted = this.#nextSize(monotonic);
    let granted: number | undefined;
    const keyring = await this.#keyring.change((stored) => {
      const decision = decide(stored, wanted);
      granted = decision?.granted;
      return decision?.keyring;
    });
    if (granted === undefined) return false;
    this.#lastSize = wanted;
    this.#lastReserved = monotonic;
    this.#usedSince = 0;
    this.#reservations += 1;
    const held = this.#block;
    const active = activeTerm(keyring);
    // A change that overtook this one has replaced the term: what was granted under it stays counted and is not used.
    if (active.term < this.#keyring.active.term) return true;
    // The rest of a block of a former term is forfeited: it stays counted there.
    const left = granted + (held?.term.term === active.term ? held.left : 0);
    this.#block = { term: active, left, refillAt: refillMark(left), wall, monotonic };
    return true;
  }

  #nextSize(monotonic: number): number {
    const elapsed = Math.max(monotonic - this.#lastReserved, 1);
    const wanted = Math.ceil((this.#usedSince / elapsed) * BLOCK_LASTS_MS);
    return Math.max(FIRST_BLOCK, Math.min(wanted, this.#lastSize * LARGEST_GROWTH, LARGEST_BLOCK));
  }
}

/** About half, with jitter, so that nodes which started together do not go on to meet at the keyring. */
function refillMark(left: number): number {
  return Math.floor(left * (0.4 + 0.2 * Math.random()));
}
