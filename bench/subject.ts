/** Servers to put a load on. Their log goes to a file, as it does where they work. */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../test/executable.ts";
import { call, unseal } from "./client.ts";
import { PATHS } from "./wrk.ts";

export interface Subject extends AsyncDisposable {
  readonly url: string;
  /** A root token; empty where none is asked for. */
  readonly token: string;
  readonly pid: number;
}

export interface CofferSettings {
  readonly name: string;
  readonly storage: "memory" | "file";
  readonly audit: boolean;
}

/** The executable, unsealed, with secrets below `kv/`. `folder`: for its files, which are named after it. */
export async function startCoffer(folder: string, { name, storage, audit }: CofferSettings): Promise<Subject> {
  const config = join(folder, `${name}.toml`);
  const device = `[[audit]]\ntype = "file"\noptions = { file_path = ${JSON.stringify(auditFile(folder, name))} }\n`;
  writeFileSync(config, audit ? device : "");
  const url = storage === "memory" ? "memory:" : `file:${join(folder, `${name}-store`)}`;
  const stderr = openSync(logFile(folder, name), "a", 0o600);
  const server = await startServer({ args: ["--config", config, "--storage", url], cwd: folder, stderr });
  closeSync(stderr);
  return {
    url: server.url,
    token: await fill(server.url),
    pid: server.pid,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export function auditFile(folder: string, name: string): string {
  return join(folder, `${name}-audit.log`);
}

export function logFile(folder: string, name: string): string {
  return join(folder, `${name}.log`);
}

/** The route that does nothing, behind our listener or the runtime's. */
export async function startBare(server: "listener" | "runtime"): Promise<Subject> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "bare-route.ts"), server], {
    env: { NODE_ENV: "production" },
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  return {
    url: new TextDecoder().decode(value).trim(),
    token: "",
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

/** Makes the secrets that a load asks for; resolves with a token for them. */
export async function fill(url: string): Promise<string> {
  const token = await unseal(url);
  await call(url, "POST", "sys/mounts/kv", { type: "kv" }, token);
  const secret = { user: "app", password: "x".repeat(200) };
  for (let n = 1; n <= PATHS; n += 1) await call(url, "PUT", `kv/app-${n}`, secret, token);
  return token;
}
