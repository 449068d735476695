/** How much memory a server holds, on Linux: from /proc. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Server, startServer } from "../test/executable.ts";
import { temporaryFolder } from "./folder.ts";
import { median } from "./rounds.ts";
import type { Figure } from "./table.ts";

const ROUNDS = 3;
const IDLE_MS = 2000;
const REQUESTS = 10_000;
const AT_ONCE = 8;
const PATHS = 1000;

interface Resident {
  /** VmRSS: what the process has in memory, the mapped pages of the executable included. In MB. */
  readonly all: number;
  /** RssAnon: without those pages, which the system can drop and which processes share. In MB. */
  readonly own: number;
}

interface Sample {
  readonly nothing: Resident;
  readonly idle: Resident;
  readonly used: Resident;
}

/** `parent`: a folder on a disk, in which stores are made and removed. */
export async function measureMemory(parent: string): Promise<Figure[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < ROUNDS; round += 1) samples.push(await sample(parent));
  const middle = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const common = { group: "memory", unit: "MB", rounds: ROUNDS } as const;
  const idle = middle(({ idle: { all } }) => all);
  const idleOwn = middle(({ idle: { own } }) => own);
  return [
    {
      ...common,
      name: "idle, over the runtime doing nothing",
      value: idle,
      baseline: middle(({ nothing: { all } }) => all),
      operations: 1,
      target: { of: "value", bound: "≤", limit: 60 },
    },
    {
      ...common,
      name: "idle, the anonymous part of both",
      value: idleOwn,
      baseline: middle(({ nothing: { own } }) => own),
      operations: 1,
    },
    {
      ...common,
      name: "after 10,000 requests, over idle",
      value: middle(({ used: { all } }) => all),
      baseline: idle,
      operations: REQUESTS,
    },
    {
      ...common,
      name: "after 10,000 requests, the anonymous part of both",
      value: middle(({ used: { own } }) => own),
      baseline: idleOwn,
      operations: REQUESTS,
    },
  ];
}

async function sample(parent: string): Promise<Sample> {
  using folder = temporaryFolder(parent);
  const nothing = await residentOfNothing();
  await using server = await startServer({
    args: ["--storage", `file:${join(folder.path, "store")}`],
    cwd: folder.path,
  });
  const token = await unseal(server);
  await Bun.sleep(IDLE_MS);
  const idle = resident(server.pid);
  await use(server, token);
  return { nothing, idle, used: resident(server.pid) };
}

/**
 * The runtime with a timer as its whole program. Not the peak that wait4(2) tells of a child that has
 * ended: that begins with the peak of whoever started it.
 */
async function residentOfNothing(): Promise<Resident> {
  const child = Bun.spawn([process.execPath, "-e", `setTimeout(() => undefined, ${2 * IDLE_MS})`], {
    stdout: "ignore",
    stderr: "ignore",
  });
  await Bun.sleep(IDLE_MS);
  const found = resident(child.pid);
  child.kill();
  await child.exited;
  return found;
}

function resident(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (field: string) =>
    (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024) / 1e6;
  return { all: megabytes("VmRSS"), own: megabytes("RssAnon") };
}

/** Initialises and unseals the server; resolves with a token, with which a key-value engine was mounted at secret/. */
async function unseal(server: Server): Promise<string> {
  const { keys, root_token: token } = JSON.parse(
    await call(server, "PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 }),
  ) as { keys: string[]; root_token: string };
  await call(server, "PUT", "sys/unseal", { key: keys[0] });
  await call(server, "POST", "sys/mounts/secret", { type: "kv" }, token);
  return token;
}

/** {@link REQUESTS}: every secret is written and then read. */
async function use(server: Server, token: string): Promise<void> {
  let begun = 0;
  const client = async () => {
    while (begun < REQUESTS) {
      const path = `secret/app-${(begun / 2) % PATHS}`;
      begun += 2;
      await call(server, "PUT", path, { password: "correct horse battery staple" }, token);
      await call(server, "GET", path, undefined, token);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}

async function call(server: Server, method: string, path: string, body?: object, token?: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/${path}`, {
    method,
    headers: token === undefined ? {} : { "X-Vault-Token": token },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
  return text;
}
