/** What a rotation costs those who read and write meanwhile, over HTTP, and what a reservation costs. */
import { join } from "node:path";
import { activeTerm, createKeyring, KEYRING_PATH, sealKeyring, withEncryptions } from "../core/barrier/keyring.ts";
import { KeyringStore } from "../core/barrier/keyring-store.ts";
import { KEY_BYTES, randomBytes } from "../core/crypto.ts";
import type { Driver } from "../storage/driver.ts";
import { openFile } from "../storage/file.ts";
import { openMemory } from "../storage/memory.ts";
import { type Server, startServer } from "../test/executable.ts";
import { temporaryFolder } from "./folder.ts";
import { interleaved, median } from "./rounds.ts";
import type { Figure, Target } from "./table.ts";

const ROUNDS = 9;
const AT_ONCE = 4;
/** Of each phase; every other one is a write. */
const REQUESTS = 4000;
const PATHS = 500;
const ROTATE_EVERY_MS = 100;
const RESERVATIONS = 300;
const TARGET: Target = { of: "ratio", bound: "≤", limit: 1.2 };

/** Milliseconds of each request. */
interface Latencies {
  readonly reads: number[];
  readonly writes: number[];
}

interface Round {
  readonly before: Latencies;
  readonly during: Latencies;
  readonly after: Latencies;
}

/** `parent`: a folder on a disk, in which stores are made and removed. */
export async function measureRotation(parent: string): Promise<Figure[]> {
  return [...(await measureRequests(parent)), ...(await measureReservations(parent))];
}

async function measureRequests(parent: string): Promise<Figure[]> {
  using folder = temporaryFolder(parent);
  await using server = await startServer({
    args: ["--storage", `file:${join(folder.path, "store")}`],
    cwd: folder.path,
  });
  const { token } = await server.initAndUnseal(1, 1);
  await succeed(server, token, "POST", "sys/mounts/secret", { type: "kv" });
  // Every path exists, and the code has run, before anything is measured.
  for (let round = 0; round < 2; round += 1) await phase(server, token);
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await phase(server, token);
    const during = await whileRotating(server, token, () => phase(server, token));
    rounds.push({ before, during, after: await phase(server, token) });
  }
  const figures: Figure[] = [];
  for (const [kind, pick] of [
    ["reads", ({ reads }: Latencies) => reads],
    ["writes", ({ writes }: Latencies) => writes],
  ] as const) {
    for (const share of [0.5, 0.99]) {
      const figure = (part: keyof Round) => median(rounds.map((round) => quantile(pick(round[part]), share)));
      const common = { group: "rotation", unit: "ms", rounds: ROUNDS, operations: REQUESTS / 2 } as const;
      const name = `${kind}, p${share * 100}`;
      const baseline = figure("before");
      figures.push(
        {
          ...common,
          name: `${name}, a rotation every 100 ms, over before`,
          value: figure("during"),
          baseline,
          target: TARGET,
        },
        {
          ...common,
          name: `${name}, after the rotations, over before`,
          value: figure("after"),
          baseline,
          target: TARGET,
        },
      );
    }
  }
  return figures;
}

/** {@link REQUESTS} by {@link AT_ONCE} clients: each path is written and then read. Throws when one fails. */
async function phase(server: Server, token: string): Promise<Latencies> {
  const latencies: Latencies = { reads: [], writes: [] };
  let begun = 0;
  const client = async () => {
    while (begun < REQUESTS) {
      const path = `secret/app-${(begun / 2) % PATHS}`;
      begun += 2;
      latencies.writes.push(await succeed(server, token, "PUT", path, { password: "correct horse battery staple" }));
      latencies.reads.push(await succeed(server, token, "GET", path));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  return latencies;
}

async function whileRotating<T>(server: Server, token: string, act: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const rotate = async () => {
    while (!over.signal.aborted) {
      await succeed(server, token, "POST", "sys/rotate");
      await Bun.sleep(ROTATE_EVERY_MS);
    }
  };
  const [result] = await Promise.all([act().finally(() => over.abort()), rotate()]);
  return result;
}

/** Milliseconds of one request. Throws when its answer is none of success. */
async function succeed(server: Server, token: string, method: string, path: string, body?: object): Promise<number> {
  const start = performance.now();
  const response = await fetch(`${server.url}/v1/${path}`, {
    method,
    headers: { "X-Vault-Token": token },
    ...(body && { body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
  return performance.now() - start;
}

/** The value that `share` of all values are at most. */
function quantile(values: readonly number[], share: number): number {
  const value = values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1];
  if (value === undefined) throw new Error("nothing was measured");
  return value;
}

/** One swap of a keyring, which is what a reservation is, over the driver's bare read and swap of as many bytes. */
async function measureReservations(parent: string): Promise<Figure[]> {
  using folder = temporaryFolder(parent);
  await using memory = openMemory();
  await using file = await openFile(join(folder.path, "store"), {
    fatal(error) {
      throw error;
    },
  });
  const figures: Figure[] = [];
  for (const [name, driver] of [
    ["memory", memory],
    ["file", file],
  ] as const) {
    const store = await newKeyring(driver);
    const medians = await interleaved(
      ROUNDS,
      () => perCall(() => bareSwap(driver)),
      () => perCall(() => store.change((keyring) => withEncryptions(keyring, activeTerm(keyring).term, 64))),
    );
    figures.push({
      group: "rotation",
      name: `a reservation on ${name}, over a bare get and swap`,
      unit: "µs",
      ...medians,
      operations: RESERVATIONS,
    });
  }
  return figures;
}

async function newKeyring(driver: Driver): Promise<KeyringStore> {
  const rootKey = randomBytes(KEY_BYTES);
  await driver.put(KEYRING_PATH, sealKeyring(createKeyring(rootKey, Date.now())));
  await driver.put("bare", randomBytes(500));
  return KeyringStore.open(driver, [rootKey], () => undefined);
}

async function bareSwap(driver: Driver): Promise<void> {
  const was = await driver.get("bare");
  if (!(await driver.swap("bare", was, randomBytes(500)))) throw new Error("somebody else writes to the store");
}

async function perCall(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let done = 0; done < RESERVATIONS; done += 1) await act();
  return ((performance.now() - start) * 1000) / RESERVATIONS;
}
