/** Runs the compiled executable as a server of its own, for the tests that need the real thing. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Answer, type CallOptions, giveShares, type Unsealed } from "./harness.ts";
import type { Way } from "./raw-http.ts";

/** What `npm run build` makes. */
export const EXECUTABLE = process.env["COFFER_EXECUTABLE"] ?? join(import.meta.dir, "../dist/coffer");

export interface Start {
  /** Arguments after `server`; `--listen` with a free port is added. */
  readonly args: readonly string[];
  /** The whole environment; PATH and a HOME of its own unless told. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A free port of 127.0.0.1 unless told. */
  readonly listen?: string;
  /** Of a server with TLS: the certificate of the authority that its own is from, as PEM. */
  readonly ca?: string;
  /** A file descriptor that stderr goes to, where nobody wants to look at it afterwards. */
  readonly stderr?: number;
}

/** One field of a line of the log, or several. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface Server extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, or what else the server listens on. */
  readonly url: string;
  readonly way: Way;
  /** 0 of a Unix socket. */
  readonly port: number;
  readonly pid: number;
  /** All that it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of the log so far. Throws when one is not JSON. */
  readonly log: readonly LogLine[];
  /** Resolves with the exit code; a process that a signal ended has 128 and the signal's number. */
  readonly exited: Promise<number>;
  /** Resolves when `condition` holds: it is looked at whenever the server has written something. */
  until(condition: () => boolean): Promise<void>;
  /** One request, as the server of harness.ts takes it. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Initialises and unseals, with 3 shares of which 2 open it unless told otherwise. */
  initAndUnseal(shares?: number, threshold?: number): Promise<Unsealed>;
  /** Gives shares until the server is unsealed. */
  unseal(keys: readonly string[]): Promise<void>;
  signal(name: "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGHUP"): void;
  /** SIGTERM; resolves with the exit code. Disposing does the same. */
  stop(): Promise<number>;
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Holds the folders of this run. What earlier runs have left is removed: the runner tells nobody when it ends. */
const runFolder = join(realpathSync(tmpdir()), `coffer-tests-${process.pid}`);
for (const name of readdirSync(tmpdir())) {
  const pid = /^coffer-tests-(\d+)$/.exec(name)?.[1];
  if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
}
mkdirSync(runFolder, { recursive: true });

/** A new empty folder, with nothing but real folders in its path. */
export function newFolder(): string {
  return mkdtempSync(join(runFolder, "folder-"));
}

/** Starts a server and waits until it listens. Throws when it ends before, with its stderr. */
export async function startServer({
  args,
  env,
  cwd = newFolder(),
  listen = "127.0.0.1:0",
  ca,
  stderr,
}: Start): Promise<Server> {
  const child = Bun.spawn([EXECUTABLE, "server", "--listen", listen, ...args], {
    env: env ?? { PATH: process.env["PATH"] ?? "", HOME: cwd },
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: stderr ?? "pipe",
  });
  const output = { stdout: "", stderr: "" };
  let written = Promise.withResolvers<void>();
  const wrote = () => {
    written.resolve();
    written = Promise.withResolvers();
  };
  const listening = Promise.withResolvers<string>();
  const stdoutRead = collect(child.stdout, (text) => {
    output.stdout += text;
    const address = /^\s*(?:Coffer listens on|Address:) ((?:https?|unix):\S+)\n/m.exec(output.stdout)?.[1];
    if (address !== undefined) listening.resolve(address);
    wrote();
  });
  const stderrRead =
    child.stderr instanceof ReadableStream &&
    collect(child.stderr, (text) => {
      output.stderr += text;
      wrote();
    });
  const exited = Promise.all([child.exited, stdoutRead, stderrRead]).then(([code]) => code);

  const url = await Promise.race([listening.promise, exited]);
  if (typeof url === "number") throw new Error(`the server ended with ${url}: ${output.stderr}`);
  const signal: Server["signal"] = (name) => child.kill(name);
  const stop = () => {
    signal("SIGTERM");
    return exited;
  };
  const { pathname, port } = new URL(url);
  const way: Way = url.startsWith("unix:") ? { path: pathname } : { port: Number(port), ca };
  return {
    url,
    way,
    port: Number(port),
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
    async until(condition) {
      while (!condition()) await written.promise;
    },
    ...apiOf(url, way),
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

function apiOf(url: string, way: Way): Pick<Server, "call" | "initAndUnseal" | "unseal"> {
  const call: Server["call"] = async (method, path, { token, body, headers } = {}) => {
    const list = method === "LIST" ? `${path.includes("?") ? "&" : "?"}list=true` : "";
    const sent = new Headers(headers);
    if (token !== undefined) sent.set("X-Vault-Token", token);
    const reach = "path" in way ? { unix: way.path } : way.ca === undefined ? {} : { tls: { ca: way.ca } };
    const response = await fetch(`${"path" in way ? "http://localhost" : url}/v1/${path}${list}`, {
      ...reach,
      method: method === "LIST" ? "GET" : method,
      headers: sent,
      body: body === undefined ? null : bodyOf(body),
      redirect: "manual",
    });
    const text = await response.text();
    const answer = text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, headers: response.headers, text, body: answer };
  };
  const unseal: Server["unseal"] = (keys) => giveShares(call, keys);
  return {
    call,
    unseal,
    async initAndUnseal(shares = 3, threshold = 2) {
      const body = { secret_shares: shares, secret_threshold: threshold };
      const { status, text } = await call("PUT", "sys/init", { body });
      if (status !== 200) throw new Error(`init answered ${status}: ${text}`);
      const made = JSON.parse(text) as { keys: string[]; root_token: string };
      await unseal(made.keys);
      return { token: made.root_token, keys: made.keys };
    },
  };
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return new Uint8Array(body);
  return typeof body === "string" ? body : JSON.stringify(body);
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }));
}
