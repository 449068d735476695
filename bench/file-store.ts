/** What the file driver does in a second: durable puts, alone and at once, and gets. */
import { Database } from "bun:sqlite";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "../core/crypto.ts";
import type { Driver } from "../storage/driver.ts";
import { openFile } from "../storage/file.ts";
import { storePaths } from "../storage/file-format.ts";
import { temporaryFolder } from "./folder.ts";
import { interleaved, type Measure } from "./rounds.ts";
import type { Figure } from "./table.ts";

const ROUNDS = 9;
const AT_ONCE = 32;
const ALONE = 500;
const TOGETHER = AT_ONCE * 250;
const GETS = 20_000;
const PATHS = Array.from({ length: 1000 }, (_, index) => `logical/5f2c1e90/team/app-${index}`);
const VALUE = randomBytes(1024);
const stamp = new DataView(VALUE.buffer, VALUE.byteOffset);
let stamped = 0;

/** `parent`: a folder on a disk, in which the store is made and removed. */
export async function measureFile(parent: string): Promise<Figure[]> {
  using folder = temporaryFolder(parent);
  await using driver = await openFile(folder.path, { fatal });
  const alone = perSecond(ALONE, () => puts(driver, ALONE));
  const disk = perSecond(ALONE, async () => appends(join(folder.path, "appended"), ALONE));
  const overDisk = await interleaved(ROUNDS, disk, alone);
  const overAlone = await interleaved(
    ROUNDS,
    alone,
    perSecond(TOGETHER, () => putsAtOnce(driver)),
  );

  using db = new Database(storePaths(folder.path).db, { readonly: true });
  const statement = db.query("SELECT value FROM entry WHERE path = ?1");
  const bare = perSecond(GETS, async () => {
    for (let done = 0; done < GETS; done += 1) statement.get(pathAt(done));
  });
  const gets = perSecond(GETS, async () => {
    for (let done = 0; done < GETS; done += 1) await driver.get(pathAt(done));
  });
  const overStatement = await interleaved(ROUNDS, bare, gets);

  const common = { group: "file", unit: "/s" } as const;
  return [
    { ...common, name: "puts of 1 KiB, over appends with fdatasync", ...overDisk, operations: ALONE },
    {
      ...common,
      name: `puts of 1 KiB, ${AT_ONCE} at once, over one after the other`,
      ...overAlone,
      operations: TOGETHER,
      target: { of: "ratio", bound: "≥", limit: 5 },
    },
    { ...common, name: "gets of 1 KiB, over the bare statement", ...overStatement, operations: GETS },
  ];
}

async function puts(driver: Driver, count: number): Promise<void> {
  for (let done = 0; done < count; done += 1) await driver.put(pathAt(done), nextValue());
}

async function putsAtOnce(driver: Driver): Promise<void> {
  let begun = 0;
  const writer = async () => {
    while (begun < TOGETHER) {
      const at = begun;
      begun += 1;
      await driver.put(pathAt(at), nextValue());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, writer));
}

/** What the disk itself takes: as many bytes, each value at the end of a file and synced. */
function appends(path: string, count: number): void {
  const descriptor = openSync(path, "a", 0o600);
  try {
    for (let done = 0; done < count; done += 1) {
      writeSync(descriptor, nextValue());
      fdatasyncSync(descriptor);
    }
  } finally {
    closeSync(descriptor);
  }
}

function perSecond(operations: number, run: () => Promise<void>): Measure {
  return async () => {
    const start = performance.now();
    await run();
    return operations / ((performance.now() - start) / 1000);
  };
}

/**
 * Never the same bytes twice, as the barrier's nonces make it: SQLite neither writes nor syncs a value that is there
 * already, and such puts would look ten times as fast. The buffer is one and the same; drivers copy it.
 */
function nextValue(): Uint8Array {
  stamped += 1;
  stamp.setUint32(0, stamped);
  return VALUE;
}

function pathAt(index: number): string {
  return PATHS[index % PATHS.length] ?? "";
}

function fatal(error: Error): never {
  throw error;
}
