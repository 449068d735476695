import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Driver, StoreError } from "../storage/driver.ts";
import { openFile } from "../storage/file.ts";
import type { Store } from "./driver-contract.ts";

/** Fails the test: in this process no store may fail while it is open. */
export function fatal(error: Error): never {
  throw error;
}

export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A folder of its own, removed at the end of the block. */
export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "coffer-"));
  return { path, [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }) };
}

/** A fresh file store; `reopen` gives another driver on the same folder. */
export async function openStore(): Promise<Store> {
  const folder = temporaryFolder();
  let driver: Driver = await openFile(folder.path, { fatal });
  return {
    driver,
    reopen: async () => {
      await driver[Symbol.asyncDispose]();
      driver = await openFile(folder.path, { fatal });
      return driver;
    },
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The refusal of a store; throws when it opens or fails with anything else. */
export async function refused(path: string): Promise<StoreError> {
  const [outcome] = await Promise.allSettled([openFile(path, { fatal })]);
  if (outcome.status === "rejected" && outcome.reason instanceof StoreError) return outcome.reason;
  if (outcome.status === "rejected") throw outcome.reason;
  await outcome.value[Symbol.asyncDispose]();
  throw new Error("the store opened");
}

/** Name and bytes of every file in a folder, but for the lock that each attempt to open it takes. */
export function contents(folder: string): Record<string, string> {
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => name !== "coffer.lock" && statSync(join(folder, name)).isFile())
    : [];
  return Object.fromEntries(names.map((name) => [name, Bun.hash(readFileSync(join(folder, name))).toString(16)]));
}

export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** The lines that it prints, one at a time. */
  readonly lines: AsyncIterator<string>;
  /** All that it prints to stderr. */
  readonly errors: Promise<string>;
  /** Its exit code; 128 + the number of the signal that ended it. */
  readonly exited: Promise<number>;
  readonly kill: () => void;
}

const PREAMBLE = `
  const fatal = (error) => { console.error(error.message); process.exit(70); };
  const refused = (error) => { console.error(error.name + ": " + error.message); process.exit(1); };
  const { openFile } = await import(SOURCES + "/file.ts");
  const open = (path) => openFile(path, { fatal }).catch(refused);
`;

export interface ChildOptions {
  /** Words to put before the command: a shell with limits, another user. */
  readonly through?: readonly string[];
  /** The folder that holds the driver's sources. */
  readonly sources?: string;
}

/**
 * A process of its own that runs `script`, with `open(folder)` in scope. It exits with 70 when its store fails while
 * it is open and with 1 when the store refuses to open.
 */
export function startChild(script: string, { through = [], sources }: ChildOptions = {}): Child {
  const code = `const SOURCES = ${JSON.stringify(sources ?? join(import.meta.dir, "../storage"))};${PREAMBLE}${script}`;
  const child = Bun.spawn([...through, process.execPath, "-e", code], {
    stdout: "pipe",
    stderr: "pipe",
    stdin: "ignore",
  });
  return {
    pid: child.pid,
    lines: linesOf(child.stdout),
    errors: new Response(child.stderr).text(),
    exited: child.exited,
    kill: () => child.kill("SIGKILL"),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** Runs a command of the system; its exit code. */
export function run(...command: string[]): number {
  return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).exitCode;
}
