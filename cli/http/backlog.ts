/**
 * Answers that their clients have not taken, of all connections together. Each connection holds one at most; but an answer
 * may be several MiB, and a client that reads nothing has half a minute. Answers that wait to be recorded count, too, and
 * have a smaller budget of their own besides, as have those that are made in one turn of the event loop: beyond these nobody is
 * cut off, but reads are made in later turns.
 *
 * Beyond the budget two things happen. Reads and lists are answered one in each turn of the event loop, so that no more comes
 * than clients have had the time to take. And who takes nothing at all for a second is cut off, the longest first, until there is
 * room. A client that goes on reading is not, until there is twice the budget: then who reads slowest goes, and reads wait for
 * room.
 */
import type { Clock } from "../../core/clock.ts";
import type { AnswerBudget } from "../../core/http/answer-budget.ts";

/** Bytes. With half of it, many clients that read at once on a busy machine are taken for idle: docs/performance.md. */
const BUDGET = 128 * 1024 * 1024;
/** Bytes, but for one answer more. */
const MOST = 2 * BUDGET;
/** Bytes of answers that wait to be recorded. Each is there several times meanwhile: as its text, parsed, and as garbage. */
const UNRECORDED = 16 * 1024 * 1024;

/** Bytes of large answers that are made in one turn of the event loop. */
const MADE = 4 * 1024 * 1024;

/** How often it is looked at who takes something, in milliseconds, while there is more than the budget. */
const LOOK_MS = 100;
/**
 * So many looks at which nothing was taken make a client that takes nothing. They are counted, and not the time, because
 * between two of them the event loop has asked the system what was taken, however busy the server is.
 */
const PATIENCE = 10;

/** A connection whose answer is not taken. */
interface Slow {
  /** Bytes that the system has not taken yet. */
  readonly unsent: number;
  /** Cuts it for the sake of the others. */
  cut(why: string): void;
}

interface Held {
  readonly slow: Slow;
  readonly bytes: number;
  /** What the system had not taken at once. */
  readonly begun: number;
  /** What was left of it at the last look. */
  unsent: number;
  /** Looks since it is held, and since something of it was taken. */
  age: number;
  idle: number;
}

/** Bytes from one look to the next. */
function rateOf({ begun, unsent, age }: Held): number {
  return (begun - unsent) / age;
}

export class Backlog {
  /** Who has taken nothing for the longest is the first. */
  readonly #held = new Set<Held>();
  readonly #clock: Clock;
  #bytes = 0;
  /** Of them, those that wait to be recorded. */
  #kept = 0;
  /** Of answers that were made in this turn of the event loop. */
  #made = 0;
  #stopLooks: (() => void) | undefined;
  /** Resolves when all who wait have had their turn. */
  #queue = Promise.resolve();
  /** Called when there may be room. One waits at a time: the others wait for his turn. */
  #onRoom: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#bytes > BUDGET || this.#kept > UNRECORDED || this.#made > MADE;
  }

  /** The budget as the app sees it, of a connection of which `isThere` tells whether it is not gone. */
  of(isThere: () => boolean): AnswerBudget {
    const isOver = () => this.isOver;
    return {
      get isOver() {
        return isOver();
      },
      turn: () => this.#turnOf(isThere),
      keep: (bytes) => this.#keep(bytes),
    };
  }

  /** Resolves in a turn of the event loop that is nobody else's, after the turns of those who came before, when there is room. */
  async #turnOf(isThere: () => boolean): Promise<boolean> {
    const turn = (this.#queue = this.#queue.then(() => (isThere() ? this.#nextWithRoom() : undefined)));
    await turn;
    return isThere();
  }

  async #nextWithRoom(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#bytes > MOST || this.#kept > UNRECORDED)
      await new Promise<void>((resolve) => (this.#onRoom = resolve));
  }

  /** Counts an answer that was made, until this turn of the event loop ends: others are to be served between many of them. */
  made(bytes: number): void {
    if (this.#made === 0) setImmediate(() => (this.#made = 0));
    this.#made += bytes;
  }

  /** Counts an answer of which something is left, until it is disposed of: the whole is kept as long. */
  hold(slow: Slow, bytes: number): Disposable {
    const { unsent } = slow;
    const held: Held = { slow, bytes, begun: unsent, unsent, age: 0, idle: 0 };
    this.#held.add(held);
    this.#bytes += bytes;
    if (this.#bytes > BUDGET) this.#stopLooks ??= this.#clock.every(LOOK_MS, () => this.#look());
    return { [Symbol.dispose]: () => this.#release(held) };
  }

  #keep(bytes: number): Disposable {
    this.made(bytes);
    this.#bytes += bytes;
    this.#kept += bytes;
    return {
      [Symbol.dispose]: () => {
        this.#kept -= bytes;
        this.#free(bytes);
      },
    };
  }

  #release(held: Held): void {
    if (this.#held.delete(held)) this.#free(held.bytes);
  }

  #free(bytes: number): void {
    this.#bytes -= bytes;
    this.#onRoom?.();
  }

  #look(): void {
    const reading: Held[] = [];
    for (const held of this.#held) {
      const { unsent } = held.slow;
      if (unsent !== held.unsent) reading.push(held);
      held.age += 1;
      held.idle = unsent === held.unsent ? held.idle + 1 : 0;
      held.unsent = unsent;
    }
    for (const held of reading) {
      this.#held.delete(held);
      this.#held.add(held);
    }
    for (const held of this.#held) {
      if (this.#bytes <= BUDGET || held.idle < PATIENCE) break;
      this.#cut(held, "the answer was not taken");
    }
    if (this.#bytes > MOST) this.#cutSlowest();
    if (this.#bytes > BUDGET) return;
    this.#stopLooks?.();
    this.#stopLooks = undefined;
  }

  #cutSlowest(): void {
    const tried = [...this.#held].filter(({ age }) => age >= PATIENCE);
    for (const held of tried.toSorted((a, b) => rateOf(a) - rateOf(b))) {
      if (this.#bytes <= MOST) return;
      this.#cut(held, "the answer was taken too slowly");
    }
  }

  #cut(held: Held, why: string): void {
    this.#release(held);
    held.slow.cut(why);
  }
}
