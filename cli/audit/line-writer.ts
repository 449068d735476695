/**
 * Lines to a place that may be slow, full or stuck. One write is under way at a time; lines that come meanwhile, or in the
 * same turn of the event loop until there are eight, go out together in the next one, in the order in which they came: a
 * write of its own costs more than a line. A line is done when its write is.
 *
 * Time and memory are bounded: a write that takes longer than the limit fails, and so does every line that waits behind
 * it and every further one until it has come to an end; lines that find too many before them fail at once.
 */

/**
 * UTF-16 code units that may wait, which for JSON lines is about the number of bytes. One line may always. More than the
 * listener lets wait of answers: 16 MiB of large ones, one beyond, and 16 KiB for each connection.
 */
const QUEUE_LIMIT = 64 * 1024 * 1024;

/** Lines that go out before the turn has ended, so that the place is at work while the others are made. */
const ENOUGH = 8;

/** So many times it is looked whether a write is done, before it counts as stuck. */
const STEPS = 10;

/** Takes what is to be written, all of it, out of the hands of this process. */
export interface Sink {
  send(bytes: Uint8Array): Promise<void>;
  /** Gives up the `send` under way, where that is possible. */
  abort?(): void;
}

interface Batch {
  readonly lines: string[];
  size: number;
  readonly written: PromiseWithResolvers<void>;
}

export class LineWriter {
  readonly #sink: Sink;
  readonly #limitMs: number;
  #next: Batch | undefined;
  #underWay: Promise<void> | undefined;
  #stuck = false;
  /** Called when it is. */
  #onStuck: (() => void)[] = [];
  /** Called when there are enough lines for a write. */
  #onEnough: (() => void) | undefined;

  constructor(sink: Sink, limitMs: number) {
    this.#sink = sink;
    this.#limitMs = limitMs;
  }

  write(line: string): Promise<void> {
    if (this.#stuck) return Promise.reject(tooSlow());
    if (this.#next !== undefined && this.#next.size + line.length > QUEUE_LIMIT)
      return Promise.reject(new Error("too many lines wait to be written"));
    const batch = (this.#next ??= { lines: [], size: 0, written: Promise.withResolvers() });
    batch.lines.push(line);
    batch.size += line.length;
    if (batch.lines.length === ENOUGH) this.#onEnough?.();
    this.#underWay ??= this.#sendNext();
    return batch.written.promise;
  }

  /** Resolves when the write that is under way now, if any, has come to an end, however long that takes. */
  async ended(): Promise<void> {
    await this.#underWay;
  }

  /** Resolves as {@link ended}, or when that write counts as stuck: then with false. */
  async settled(): Promise<boolean> {
    if (this.#underWay === undefined) return true;
    if (!this.#stuck) await Promise.race([this.#underWay, new Promise<void>((resolve) => this.#onStuck.push(resolve))]);
    return !this.#stuck;
  }

  /** Resolves when everything has been written, or has failed, be it that it is stuck. */
  async drained(): Promise<void> {
    while (this.#underWay !== undefined && (await this.settled()));
  }

  /** Sends what there is at the end of this turn, or when there is enough. */
  async #sendNext(): Promise<void> {
    if (this.#next !== undefined && this.#next.lines.length < ENOUGH) await this.#enough();
    const batch = this.#next;
    this.#next = undefined;
    if (batch !== undefined) await this.#send(batch);
    this.#underWay = this.#next === undefined ? undefined : this.#sendNext();
  }

  #enough(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnough = resolve;
      setImmediate(resolve);
    });
  }

  async #send({ lines, written }: Batch): Promise<void> {
    // Counted in steps, between two of which the event loop has asked what is done: one that stood still, as one of a machine
    // that was paused does, must not take for stuck what was written long ago.
    let left = STEPS;
    const late = setInterval(() => {
      left -= 1;
      if (left === 0) this.#giveUp(written);
    }, this.#limitMs / STEPS);
    try {
      await this.#sink.send(new TextEncoder().encode(lines.join("")));
      written.resolve();
    } catch (error) {
      written.reject(error);
    } finally {
      clearInterval(late);
      this.#stuck = false;
      this.#onStuck = [];
    }
  }

  /** The write may still come to an end; nobody waits for it any longer. */
  #giveUp(written: PromiseWithResolvers<void>): void {
    this.#stuck = true;
    for (const tell of this.#onStuck.splice(0)) tell();
    written.reject(tooSlow());
    this.#next?.written.reject(tooSlow());
    this.#next = undefined;
    this.#sink.abort?.();
  }
}

function tooSlow(): Error {
  return new Error("the device does not take what is written to it");
}
