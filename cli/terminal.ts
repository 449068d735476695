/**
 * The rules of the terminal: data goes to stdout, everything else to stderr; errors are `coffer: …` lines in lower
 * case, followed by `coffer: hint: …` lines; nothing is coloured; a reader who has gone away (`| head -1`) is no error.
 */

import { CliError } from "./errors.ts";
import { escapeLine, escapeText } from "./escape.ts";
import type { Environment } from "./environment.ts";

interface Sink {
  readonly isTerminal: boolean;
  /** Resolves when the text has been handed to the system, or when its reader is gone. Rejects on any other failure. */
  write(text: string): Promise<void>;
}

export interface Terminal {
  readonly env: Environment;
  readonly stdin: { readonly isTerminal: boolean; read(): Promise<Uint8Array> };
  readonly stdout: Sink;
  readonly stderr: Sink;
}

/** Whether there is somebody who can be shown something and asked about it. */
export function canAsk({ stdin, stderr }: Terminal): boolean {
  return stdin.isTerminal && stderr.isTerminal;
}

/** The terminal of this process. */
export function openTerminal(): Terminal {
  return {
    env: process.env,
    stdin: { isTerminal: process.stdin.isTTY, read: () => Bun.stdin.bytes() },
    stdout: openSink(process.stdout, "stdout"),
    stderr: openSink(process.stderr, "stderr"),
  };
}

function openSink(stream: NodeJS.WriteStream, name: string): Sink {
  let failure: Error | undefined;
  // Without a listener the process would end with a stack trace; the write below reports it instead.
  stream.on("error", (error) => (failure = error));
  return {
    isTerminal: stream.isTTY,
    async write(text) {
      failure ??= await new Promise<Error | undefined>((done) =>
        stream.write(text, (error) => done(error ?? undefined)),
      );
      if (failure === undefined || ("code" in failure && failure.code === "EPIPE")) return;
      throw new CliError(`cannot write to ${name}`, "is the disk full? the output is not complete", {
        cause: failure,
      });
    },
  };
}

/** Prints a failure: its message, what the server said, and the hints. Everything is escaped; it may quote a server. */
export async function printError(terminal: Terminal, error: CliError): Promise<void> {
  const lines = [
    `coffer: ${escapeLine(error.message)}`,
    // Only a line of our own may begin with "coffer:".
    ...error.details.map((detail) => `* ${escapeText(detail.trimEnd()).replaceAll("\n", "\n  ")}`),
    ...error.hints.map((hint) => `coffer: hint: ${escapeLine(hint)}`),
  ];
  await terminal.stderr.write(`${lines.join("\n")}\n`);
}

/** Prints what people are to know though the command goes on: what the server warned of, say. */
export async function printWarnings(terminal: Terminal, warnings: readonly string[]): Promise<void> {
  for (const warning of warnings) await terminal.stderr.write(`coffer: warning: ${escapeLine(warning)}\n`);
}

/** Waits for `work`; after a second a line on a terminal says for what, and goes away when the work is done. */
export async function withProgress<T>(terminal: Terminal, text: string, work: Promise<T>): Promise<T> {
  if (!terminal.stderr.isTerminal) return work;
  let shown = false;
  const timer = setTimeout(() => {
    shown = true;
    void terminal.stderr.write(`${text} …`);
  }, 1000);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    // Carriage return and "erase to the end of the line" (ECMA-48 EL).
    if (shown) await terminal.stderr.write("\r\u001B[K");
  }
}
