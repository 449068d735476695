/** How long after its exec the executable answers its first request. */
import { type Socket, connect } from "node:net";
import { join } from "node:path";
import { EXECUTABLE, startServer } from "../test/executable.ts";
import { temporaryFolder } from "./folder.ts";
import { freePort } from "./free-port.ts";
import { interleaved } from "./rounds.ts";
import type { Figure } from "./table.ts";

const ROUNDS = 10;
const RETRY_MS = 1;

/** `parent`: a folder on a disk, in which stores are made and removed. */
export async function measureStart(parent: string): Promise<Figure[]> {
  using folder = temporaryFolder(parent);
  const existing = `file:${join(folder.path, "existing")}`;
  await initialise(existing, folder.path);
  let fresh = 0;
  const storages = [
    { name: "memory", url: () => "memory:" },
    { name: "file, an existing store", url: () => existing },
    { name: "file, a fresh store", url: () => `file:${join(folder.path, `fresh-${(fresh += 1)}`)}` },
  ];
  const figures: Figure[] = [];
  for (const { name, url } of storages) {
    figures.push({
      group: "start",
      name: `${name}, over an exec that does nothing`,
      unit: "ms",
      ...(await interleaved(ROUNDS, doNothing, () => firstAnswer(url()))),
      operations: 1,
      target: { of: "value", bound: "≤", limit: 60 },
    });
  }
  return figures;
}

/** Milliseconds from exec to exit. */
async function doNothing(): Promise<number> {
  const start = performance.now();
  await Bun.spawn([EXECUTABLE, "version"], { env: {}, stdout: "ignore", stderr: "ignore" }).exited;
  return performance.now() - start;
}

/** Milliseconds from exec to the first answer. The server is stopped afterwards. */
async function firstAnswer(storage: string): Promise<number> {
  const port = await freePort();
  const command = [EXECUTABLE, "server", "--storage", storage, "--listen", `127.0.0.1:${port}`];
  const start = performance.now();
  const child = Bun.spawn(command, { env: {}, stdout: "ignore", stderr: "ignore" });
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode} before it answered`);
    await Bun.sleep(RETRY_MS);
  }
  const end = performance.now();
  child.kill("SIGTERM");
  await child.exited;
  return end - start;
}

/** Asks once for the health; false when nobody listens. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1", () =>
      socket.write("GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("data", (bytes) => end(String(bytes).startsWith("HTTP/1.1 ")));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}

/** Makes an initialised store, stopped in good order. */
async function initialise(storage: string, cwd: string): Promise<void> {
  await using server = await startServer({ args: ["--storage", storage], cwd });
  const body = JSON.stringify({ secret_shares: 1, secret_threshold: 1 });
  const { ok, status } = await fetch(`${server.url}/v1/sys/init`, { method: "PUT", body });
  if (!ok) throw new Error(`sys/init answered ${status}`);
}
