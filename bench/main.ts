/**
 * `npm run bench`: measures, and prints one table. `npm run bench -- NAME…` runs only these groups; `--format json`
 * prints for programs; `--folder PATH` makes the stores in that folder, which must lie on a disk. A missed target shows
 * in the table and does not fail the run: on a busy machine it is a reason to look, not a verdict.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureAudit } from "./audit.ts";
import { measureBarrier } from "./barrier.ts";
import { measureFile } from "./file-store.ts";
import { measureGenerateShare } from "./generate-share.ts";
import { measureHttp } from "./http.ts";
import { measureMemory } from "./memory.ts";
import { measureRotation } from "./rotation.ts";
import { measureStart } from "./start.ts";
import { asJson, asTable, type Figure } from "./table.ts";

interface Group {
  readonly measure: (folder: string) => Promise<Figure[]>;
  readonly needsExecutable: boolean;
}

const GROUPS: Readonly<Record<string, Group>> = {
  barrier: { measure: measureBarrier, needsExecutable: false },
  file: { measure: measureFile, needsExecutable: false },
  audit: { measure: measureAudit, needsExecutable: false },
  rotation: { measure: measureRotation, needsExecutable: true },
  "generate-share": { measure: measureGenerateShare, needsExecutable: true },
  start: { measure: measureStart, needsExecutable: true },
  memory: { measure: measureMemory, needsExecutable: true },
  http: { measure: measureHttp, needsExecutable: true },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    format: { type: "string", default: "table" },
    folder: { type: "string", default: join(import.meta.dir, "../dist") },
  },
});
if (values.format !== "table" && values.format !== "json") refuse(`--format is table or json, not ${values.format}`);
const groups = (positionals.length === 0 ? Object.keys(GROUPS) : positionals).map((name) => groupOf(name));
if (groups.some(({ needsExecutable }) => needsExecutable)) build();
const figures: Figure[] = [];
for (const { measure } of groups) figures.push(...(await measure(values.folder)));
process.stdout.write(values.format === "json" ? asJson(figures) : asTable(figures));

function groupOf(name: string): Group {
  const group = Object.hasOwn(GROUPS, name) ? GROUPS[name] : undefined;
  return group ?? refuse(`there is no group ${name}: name ${Object.keys(GROUPS).join(", ")}, or none for all`);
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
