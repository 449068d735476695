/** How much memory a server holds. */
import { join } from "node:path";
import { type Server, startServer } from "../test/executable.ts";
import { call, unseal } from "./client.ts";
import { temporaryFolder } from "./folder.ts";
import { type Resident, resident } from "./resident.ts";
import { median } from "./rounds.ts";
import type { Figure } from "./table.ts";

const ROUNDS = 3;
const IDLE_MS = 2000;
const REQUESTS = 10_000;
const AT_ONCE = 8;
const PATHS = 1000;

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
  const token = await unseal(server.url);
  await call(server.url, "POST", "sys/mounts/secret", { type: "kv" }, token);
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

/** {@link REQUESTS}: every secret is written and then read. */
async function use(server: Server, token: string): Promise<void> {
  let begun = 0;
  const client = async () => {
    while (begun < REQUESTS) {
      const path = `secret/app-${(begun / 2) % PATHS}`;
      begun += 2;
      await call(server.url, "PUT", path, { password: "correct horse battery staple" }, token);
      await call(server.url, "GET", path, undefined, token);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}
