/**
 * `npm run bench`: measures, and prints one table. `npm run bench -- NAME…` runs only these groups; `--format json`
 * prints for programs; `--folder PATH` makes the stores in that folder, which must lie on a disk. `--peer PATH` measures
 * beside the OpenBao executable at PATH. What takes minutes is measured only when it is named, and what takes wrk needs
 * the package of that name. A missed target shows in the table and does not fail the run: on a busy machine it is a
 * reason to look, not a verdict.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureAudit } from "./audit.ts";
import { measureBarrier } from "./barrier.ts";
import { measureFile } from "./file-store.ts";
import { measureGenerateShare } from "./generate-share.ts";
import { measureHttp } from "./http.ts";
import { measureHttpMemory } from "./http-memory.ts";
import { measureMemory } from "./memory.ts";
import { measurePeer } from "./peer.ts";
import { measureRotation } from "./rotation.ts";
import { measureStart } from "./start.ts";
import { asJson, asTable, type Figure } from "./table.ts";

interface Group {
  readonly measure: (folder: string) => Promise<Figure[]>;
  readonly needsExecutable: boolean;
  /** It takes minutes: measured only when it is named. */
  readonly isLong?: true;
}

const GROUPS: Readonly<Record<string, Group>> = {
  barrier: { measure: measureBarrier, needsExecutable: false },
  file: { measure: measureFile, needsExecutable: false },
  audit: { measure: measureAudit, needsExecutable: false },
  rotation: { measure: measureRotation, needsExecutable: true },
  "generate-share": { measure: measureGenerateShare, needsExecutable: true },
  start: { measure: measureStart, needsExecutable: true },
  memory: { measure: measureMemory, needsExecutable: true },
  http: { measure: measureHttp, needsExecutable: true, isLong: true },
  "http-memory": { measure: measureHttpMemory, needsExecutable: true, isLong: true },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    format: { type: "string", default: "table" },
    folder: { type: "string", default: join(import.meta.dir, "../dist") },
    peer: { type: "string" },
  },
});
if (values.format !== "table" && values.format !== "json") refuse(`--format is table or json, not ${values.format}`);
const groups = groupsOf(positionals, values.peer);
if (groups.some(({ needsExecutable }) => needsExecutable)) build();
const figures: Figure[] = [];
for (const { measure } of groups) figures.push(...(await measure(values.folder)));
process.stdout.write(values.format === "json" ? asJson(figures) : asTable(figures));

/** The groups that are named, and the one beside `peer` where that is given; with neither, all that take no minutes. */
function groupsOf(names: readonly string[], peer: string | undefined): Group[] {
  const named = names.map((name) => groupOf(name));
  if (peer !== undefined) return [...named, { measure: (folder) => measurePeer(folder, peer), needsExecutable: true }];
  return names.length > 0 ? named : Object.values(GROUPS).filter(({ isLong }) => isLong !== true);
}

function groupOf(name: string): Group {
  const group = Object.hasOwn(GROUPS, name) ? GROUPS[name] : undefined;
  return (
    group ?? refuse(`there is no group ${name}: name ${Object.keys(GROUPS).join(", ")}, or none for the short ones`)
  );
}

/** Measures what is in the working tree, not what was built some time ago. */
function build(): void {
  if (process.env["COFFER_EXECUTABLE"] !== undefined) return;
  const { status } = spawnSync(process.execPath, ["run", "--silent", "build"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) refuse("the executable could not be built");
}

function refuse(message: string): never {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(1);
}
