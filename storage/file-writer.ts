import { Unknown } from "./driver.ts";
import type { Answer, Write } from "./file-batch.ts";
import { fullDisk } from "./file-refusal.ts";
import type { Reply, Request } from "./file-worker.ts";

interface Pending {
  readonly write: Write;
  readonly resolve: (done: boolean) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Hands writes to the thread that writes. One batch is on its way at a time; what comes meanwhile makes up the next.
 * A write is answered once its batch is durable.
 *
 * When the thread fails or ends, `fatal` ends the process, and the writes on their way are never answered: whether
 * they are in the store shows only when it is opened anew.
 */
export class Writer implements AsyncDisposable {
  readonly #folder: string;
  readonly #fatal: (error: Error) => never;
  readonly #worker = new Worker(workerUrl(), { smol: true });
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #state: "opening" | "open" | "closing" | "closed" | "failed" = "opening";
  #waiting: Pending[] = [];
  #flying: Pending[] = [];
  #isScheduled = false;
  #lastError = "it ended";

  private constructor(folder: string, fatal: (error: Error) => never) {
    this.#folder = folder;
    this.#fatal = fatal;
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => this.#onReply(data));
    // An error is always followed by the end of the thread. Its message may quote the source around it.
    this.#worker.addEventListener("error", ({ message }) => {
      this.#lastError = message.split("\n").find((line) => line.startsWith("error:")) ?? message;
    });
    this.#worker.addEventListener("close", () => this.#onEnd());
    this.#send({ kind: "open", folder });
  }

  /** Rejects when the thread cannot start or cannot open the store. */
  static async open(folder: string, fatal: (error: Error) => never): Promise<Writer> {
    const writer = new Writer(folder, fatal);
    await writer.#opened.promise;
    return writer;
  }

  /** Resolves with false when a swap found another value. The buffers in `write` are handed over with it. */
  write(write: Write): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#waiting.push({ write, resolve, reject });
    // Writes that are asked for in one go share a batch from the first one on.
    if (!this.#isScheduled) queueMicrotask(() => this.#fly());
    this.#isScheduled = true;
    return promise;
  }

  /** Waits for the writes on their way, then ends the thread. The caller asks for no more writes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "open") this.#state = "closing";
    this.#fly();
    await this.#ended.promise;
  }

  #fly(): void {
    this.#isScheduled = false;
    if (this.#flying.length > 0 || this.#state === "failed") return;
    if (this.#waiting.length > 0) {
      this.#flying = this.#waiting;
      this.#waiting = [];
      const writes = this.#flying.map(({ write }) => write);
      this.#send({ kind: "batch", writes }, writes.flatMap(buffersOf));
    } else if (this.#state === "closing") {
      this.#state = "closed";
      this.#send({ kind: "close" });
    }
  }

  #onReply(reply: Reply): void {
    switch (reply.kind) {
      case "opened":
        this.#state = "open";
        return this.#opened.resolve();
      case "answers":
        return this.#settle(reply.answers);
      case "closed":
        return this.#worker.terminate();
      case "failed":
        return this.#fail(new Error(reply.code));
    }
  }

  #settle(answers: readonly Answer[]): void {
    const landed = this.#flying;
    this.#flying = [];
    for (const [index, { resolve, reject }] of landed.entries()) {
      const answer = answers[index];
      if (answer === "full") reject(new Unknown(fullDisk(this.#folder)));
      else resolve(answer === "done");
    }
    this.#fly();
  }

  #onEnd(): void {
    this.#ended.resolve();
    if (this.#state !== "closed") this.#fail(new Error(this.#lastError));
  }

  #fail(cause: Error): void {
    if (this.#state === "failed") return;
    const wasOpening = this.#state === "opening";
    this.#state = "failed";
    this.#worker.terminate();
    if (!wasOpening) this.#fatal(new Error(`the store in ${this.#folder} failed (${cause.message})`, { cause }));
    this.#opened.reject(cause);
  }

  #send(request: Request, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }
}

function buffersOf(write: Write): ArrayBuffer[] {
  const values = [write.kind === "swap" ? write.was : undefined, write.kind === "delete" ? undefined : write.value];
  return values.flatMap((value) => value?.buffer ?? []);
}

/**
 * In the executable all modules have the URL of its entry at the root of a file system of its own, and the worker lies
 * there under its path in the project. A relative URL would be looked up in the working folder first.
 */
function workerUrl(): URL {
  const isCompiled = import.meta.url.startsWith("file:///$bunfs/");
  return new URL(isCompiled ? "./storage/file-worker.ts" : "./file-worker.ts", import.meta.url);
}
