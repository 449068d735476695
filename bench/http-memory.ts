/** Whether memory stays what it is over a million requests, reads and writes in turns, all of them audited. */
import { truncateSync } from "node:fs";
import { temporaryFolder } from "./folder.ts";
import { resident } from "./resident.ts";
import { median } from "./rounds.ts";
import { auditFile, logFile, startCoffer } from "./subject.ts";
import type { Figure } from "./table.ts";
import { requireWrk, wrk } from "./wrk.ts";

const REQUESTS = 1_000_000;
const WARM_UP = 100_000;
const RUN_SECONDS = 10;
const SAMPLE_MS = 1000;

/** `parent`: a folder on a disk, in which stores and logs are made and removed. */
export async function measureHttpMemory(parent: string): Promise<Figure[]> {
  requireWrk();
  const figures: Figure[] = [];
  for (const storage of ["memory", "file"] as const) figures.push(...(await measure(parent, storage)));
  return figures;
}

async function measure(parent: string, storage: "memory" | "file"): Promise<Figure[]> {
  using folder = temporaryFolder(parent);
  const name = storage;
  await using subject = await startCoffer(folder.path, { name, storage, audit: true });
  const idle = resident(subject.pid).all;
  const samples: number[] = [];
  const run = async (least: number) => {
    let requests = 0;
    while (requests < least) {
      requests += (await wrk(folder.path, { ...subject, kind: "mixed", seconds: RUN_SECONDS })).requests;
      // Nobody reads them: a million requests fill a gigabyte.
      for (const file of [logFile(folder.path, name), auditFile(folder.path, name)]) truncateSync(file);
    }
    return requests;
  };
  await run(WARM_UP);
  const timer = setInterval(() => samples.push(resident(subject.pid).all), SAMPLE_MS);
  const requests = await run(REQUESTS);
  clearInterval(timer);
  const third = Math.floor(samples.length / 3);
  const common = { group: "http-memory", unit: "MB", rounds: 1, operations: requests } as const;
  return [
    {
      ...common,
      name: `${storage}, the last third over the first`,
      value: median(samples.slice(-third)),
      baseline: median(samples.slice(0, third)),
      target: { of: "ratio", bound: "≤", limit: 1.05 },
    },
    {
      ...common,
      name: `${storage}, the most, over idle`,
      value: Math.max(...samples),
      baseline: idle,
      target: { of: "value", bound: "≤", limit: 110 },
    },
  ];
}
