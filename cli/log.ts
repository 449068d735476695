/**
 * The server's log: JSON lines on stderr.
 *
 * A log that nobody reads must not stop a server. A full pipe, a stopped terminal or a stuck collector blocks whoever
 * writes to it, so no line is ever written by the thread that answers requests: one asynchronous write at a time is
 * under way, lines that come meanwhile wait in a queue of at most {@link QUEUE_LIMIT}, and beyond that they are dropped
 * and counted. When the reader is back, one line says how many are missing.
 *
 * Measured, in the compiled executable with 10 MiB of log and no reader: `process.stderr.write` holds for pipes and
 * sockets but blocks the main thread for good on a stopped terminal. `fs.write` holds for all three: it parks one thread
 * of the pool, on which file reads went on without delay even with a single core, and `process.exit` does not wait for
 * it. Letting the event loop run empty does wait, so whoever ends the server calls `flush` and then `process.exit`.
 */

import { write } from "node:fs";
import { pino } from "pino";
import { isoTime } from "../core/iso-time.ts";
import type { Log } from "../core/log.ts";
import type { LogLevel } from "./log-level.ts";

/** UTF-16 code units that may wait, which for JSON lines is about the number of bytes. */
const QUEUE_LIMIT = 1024 * 1024;

/** A pipe holds 64 KiB on Linux; more in one write gains nothing and delays the rest. */
const WRITE_LIMIT = 64 * 1024;

/** How long a line may wait for others: a write of its own for each costs more than the line. */
const GATHER_MS = 5;

const STDERR = 2;

/** A log that can be brought to an end. */
export interface OpenLog extends Log {
  /** Resolves when all lines are written, and after `milliseconds` (1000 unless told) at the latest. */
  flush(milliseconds?: number): Promise<void>;
}

/** Opens the log on stderr. Lines below `level` are not written. */
export function openLog({ level }: { readonly level: LogLevel }): OpenLog {
  // As an error, so that it shows at every level: lines of any level may be among the missing.
  const lines = new LineQueue((dropped) => logger.error({ dropped }, "log lines dropped: stderr did not take them"));
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${isoTime(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  // What has no error in it is written directly, in the same form: each request has such a line, and for pino that was a
  // quarter of all the work that a request made.
  const plain = (label: "debug" | "info"): Log["info"] => {
    if (!logger.isLevelEnabled(label)) return () => undefined;
    const lineOf = lineFormat(label);
    return (fields, message) => lines.write(lineOf(fields, message));
  };
  return {
    debug: plain("debug"),
    info: plain("info"),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    flush: (milliseconds = 1000) => lines.flush(milliseconds),
  };
}

/** Under load one line after the other begins with the same millisecond and ends with the same message. */
function lineFormat(level: LogLevel): (fields: Readonly<Record<string, unknown>>, message: string) => string {
  let [time, begin] = ["", ""];
  let [last, end] = ["", ""];
  return (fields, message) => {
    const now = isoTime(Date.now());
    if (now !== time) [time, begin] = [now, `{"level":"${level}","time":"${now}"`];
    if (message !== last) [last, end] = [message, `,"msg":${JSON.stringify(message)}}\n`];
    const json = JSON.stringify(fields);
    return json === "{}" ? `${begin}${end}` : `${begin},${json.slice(1, -1)}${end}`;
  };
}

class LineQueue {
  readonly #onDropped: (count: number) => void;
  /** Lines for one write each, the oldest first. */
  #chunks: string[] = [];
  /** What the last write will have. */
  #open = "";
  #size = 0;
  #dropped = 0;
  #writing = false;
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #gone = false;
  #idle: (() => void)[] = [];

  constructor(onDropped: (count: number) => void) {
    this.#onDropped = onDropped;
  }

  /** One line, with its line break. Never blocks, never throws. */
  write(line: string): void {
    if (this.#gone) return;
    if (this.#size + line.length > QUEUE_LIMIT) {
      this.#dropped += 1;
      return;
    }
    this.#open += line;
    this.#size += line.length;
    if (this.#open.length >= WRITE_LIMIT) this.#cut();
    if (!this.#writing) this.#gather();
  }

  async flush(milliseconds: number): Promise<void> {
    if (this.#gathering !== undefined) this.#next();
    if (!this.#writing) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
    await Promise.race([new Promise<void>((resolve) => this.#idle.push(resolve)), late]);
    clearTimeout(timer);
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => this.#next(), GATHER_MS);
  }

  /** A write is done. */
  #written(): void {
    this.#writing = false;
    const isFew = this.#size > 0 && this.#chunks.length === 0 && this.#idle.length === 0;
    if (isFew) this.#gather();
    else this.#next();
  }

  #next(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (this.#size === 0 && this.#dropped > 0) {
      const dropped = this.#dropped;
      this.#dropped = 0;
      this.#writing = true; // keeps the line that this logs from starting a write of its own
      this.#onDropped(dropped);
    }
    if (this.#chunks.length === 0) this.#cut();
    const chunk = this.#chunks.shift();
    if (chunk === undefined) {
      this.#writing = false;
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#writing = true;
    this.#size -= chunk.length;
    this.#send(new TextEncoder().encode(chunk));
  }

  #cut(): void {
    if (this.#open !== "") this.#chunks.push(this.#open);
    this.#open = "";
  }

  #send(bytes: Uint8Array): void {
    write(STDERR, bytes, (error, written) => {
      // Another process may have made the shared stderr non-blocking: then a full pipe says EAGAIN instead of waiting.
      if (error?.code === "EAGAIN") return void setTimeout(() => this.#send(bytes), 100);
      if (error === null && written < bytes.length) return this.#send(bytes.subarray(written));
      if (error !== null) this.#close();
      this.#written();
    });
  }

  /** The reader is gone (EPIPE) or stderr is closed: there is no one left to tell. */
  #close(): void {
    this.#gone = true;
    this.#chunks = [];
    this.#open = "";
    this.#size = 0;
    this.#dropped = 0;
  }
}
