/** A process that logs 10 MiB, answers on stdout meanwhile, and ends as the server does: flush, then exit. */

import { readFile } from "node:fs/promises";
import { openLog } from "../../cli/log.ts";

const log = openLog({ level: "info" });
const filler = "x".repeat(1000);
for (let line = 0; line < 10 * 1024; line += 1) {
  log.info({ line, filler }, "a line");
  log.debug({ line }, "a line below the level");
  // Requests come in between, and read files.
  if (line % 1024 === 0) console.log(`answer ${line / 1024} ${(await readFile(import.meta.path)).length > 0}`);
}
await log.flush();
console.log("flushed");
// The test says when it has begun to read.
for await (const order of console) {
  if (order === "more") log.warn({}, "the last line");
  await log.flush();
  process.exit(0);
}
