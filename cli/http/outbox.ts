/**
 * Answers wait until every request that came with them is answered, and go out one right after the other. A client that
 * waits is woken by its answer, which costs the sender more than the answer: those that come while it is awake are cheap.
 */
export class Outbox {
  #waiting: Sender[] = [];

  /** Calls `flush` of the sender once, when this turn of the event loop has dealt with all that has come. */
  add(sender: Sender): void {
    if (this.#waiting.push(sender) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const senders = this.#waiting;
    this.#waiting = [];
    for (const sender of senders) sender.flush();
  }
}

interface Sender {
  flush(): void;
}
