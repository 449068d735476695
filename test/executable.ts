/** Runs the compiled executable as a server of its own, for the tests that need the real thing. */
import { mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What `npm run build` makes. */
export const EXECUTABLE = process.env["COFFER_EXECUTABLE"] ?? join(import.meta.dir, "../dist/coffer");

export interface Start {
  /** Arguments after `server`; `--listen` with a free port is added. */
  readonly args: readonly string[];
  /** The whole environment but for PATH and HOME, unless it names these too. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** One field of a line of the log, or several. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface Server extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** All that it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of the log so far. Throws when one is not JSON. */
  readonly log: readonly LogLine[];
  /** Resolves with the exit code; a process that a signal ended has 128 and the signal's number. */
  readonly exited: Promise<number>;
  signal(name: "SIGTERM" | "SIGINT" | "SIGKILL"): void;
  /** SIGTERM; resolves with the exit code. Disposing does the same. */
  stop(): Promise<number>;
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** A new empty folder, with nothing but real folders in its path. */
export function newFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "coffer-test-")));
}

/** Starts a server on a free port of 127.0.0.1 and waits until it listens. Throws when it ends before, with its stderr. */
export async function startServer({ args, env = {}, cwd = newFolder() }: Start): Promise<Server> {
  const child = Bun.spawn([EXECUTABLE, "server", "--listen", "127.0.0.1:0", ...args], {
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env },
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = { stdout: "", stderr: "" };
  const listening = Promise.withResolvers<string>();
  const stdoutRead = collect(child.stdout, (text) => {
    output.stdout += text;
    const address = /^\s*(?:Coffer listens on|Address:) (http:\S+)\n/m.exec(output.stdout)?.[1];
    if (address !== undefined) listening.resolve(address);
  });
  const stderrRead = collect(child.stderr, (text) => (output.stderr += text));
  const exited = Promise.all([child.exited, stdoutRead, stderrRead]).then(([code]) => code);

  const url = await Promise.race([listening.promise, exited]);
  if (typeof url === "number") throw new Error(`the server ended with ${url}: ${output.stderr}`);
  const signal: Server["signal"] = (name) => child.kill(name);
  const stop = () => {
    signal("SIGTERM");
    return exited;
  };
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    get log() {
      const lines = output.stderr.split("\n").slice(0, -1);
      return lines.map((line): LogLine => JSON.parse(line) as LogLine);
    },
    exited,
    signal,
    stop,
    async kill() {
      signal("SIGKILL");
      await exited;
    },
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }));
}
