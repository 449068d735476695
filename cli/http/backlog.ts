/**
 * Answers that their clients have not taken, of all connections together. Each connection holds one at most; but an answer
 * may be several MiB, and a client that reads nothing has half a minute.
 *
 * Beyond the budget two things happen. Requests are answered one in each turn of the event loop, so that no more comes than
 * clients have had the time to take. And who takes nothing at all for a second is cut off, the longest first, until there is
 * room. A client that goes on reading is not, however much the others hold.
 */
import type { Clock } from "../../core/clock.ts";
import type { OnRefused } from "./refusal.ts";
import type { Encoded } from "./response.ts";
import type { Transport } from "./transport.ts";

/** Bytes. With half of it, many clients that read at once on a busy machine are taken for idle: docs/performance.md. */
const BUDGET = 128 * 1024 * 1024;
/** Bytes. Smaller answers are not counted: those of a thousand connections are an eighth of the budget. */
const LARGE = 16 * 1024;

/** How often it is looked at who takes something, in milliseconds, while there is more than the budget. */
const LOOK_MS = 100;
/**
 * So many looks at which nothing was taken make a client that takes nothing. They are counted, and not the time, because
 * between two of them the event loop has asked the system what was taken, however busy the server is.
 */
const PATIENCE = 10;

/** Whether an answer counts. */
export function isLarge({ bytes }: Encoded): boolean {
  return bytes >= LARGE;
}

interface Held {
  readonly transport: Slow;
  readonly bytes: number;
  /** What was left of it at the last look. */
  unsent: number;
  /** Looks since something was taken. */
  looks: number;
}

type Slow = Pick<Transport, "unsent" | "remoteAddress" | "destroy">;

export class Backlog {
  /** Who has taken nothing for the longest is the first. */
  readonly #held = new Set<Held>();
  readonly #clock: Clock;
  readonly #onRefused: OnRefused | undefined;
  #bytes = 0;
  #stopLooks: (() => void) | undefined;
  /** Resolves when all who wait have had their turn. */
  #turn = Promise.resolve();

  constructor(clock: Clock, onRefused: OnRefused | undefined) {
    this.#clock = clock;
    this.#onRefused = onRefused;
  }

  /** Whether there is more than the budget: then {@link turn} comes before the next request. */
  get isOver(): boolean {
    return this.#bytes > BUDGET;
  }

  /** Resolves in a turn of the event loop that is nobody else's, and after the turns of those who came before. */
  turn(): Promise<void> {
    return (this.#turn = this.#turn.then(() => new Promise((resolve) => setImmediate(resolve))));
  }

  /** Counts an answer of which something is left, until it is disposed of: the transport keeps the whole as long. */
  hold(transport: Slow, bytes: number): Disposable {
    const held: Held = { transport, bytes, unsent: transport.unsent, looks: 0 };
    this.#held.add(held);
    this.#bytes += bytes;
    if (this.isOver) this.#stopLooks ??= this.#clock.every(LOOK_MS, () => this.#look());
    return { [Symbol.dispose]: () => this.#release(held) };
  }

  #release(held: Held): void {
    if (this.#held.delete(held)) this.#bytes -= held.bytes;
  }

  #look(): void {
    const reading: Held[] = [];
    for (const held of this.#held) {
      const { unsent } = held.transport;
      if (unsent !== held.unsent) reading.push(held);
      held.looks = unsent === held.unsent ? held.looks + 1 : 0;
      held.unsent = unsent;
    }
    for (const held of reading) {
      this.#held.delete(held);
      this.#held.add(held);
    }
    for (const held of this.#held) {
      if (!this.isOver || held.looks < PATIENCE) break;
      this.#release(held);
      this.#onRefused?.("unread", "the answer was not taken", held.transport.remoteAddress);
      held.transport.destroy();
    }
    if (this.isOver) return;
    this.#stopLooks?.();
    this.#stopLooks = undefined;
  }
}
