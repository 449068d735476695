/**
 * Last step of the build, on Linux.
 *
 * Takes from the executable's runtime the names of the environment variables through which it
 * would run other code before Coffer's own begins (`BUN_OPTIONS=--preload …`), or become Bun itself (`BUN_BE_BUN`). The
 * first letter of each is overwritten where the runtime keeps the name; Coffer's own code, which names them in order to
 * refuse them, is left alone. Elsewhere the executable would have to be signed again.
 *
 * Then lets the kernel forget the file: it keeps what was just written in large pieces and maps it so, which makes every
 * process that runs it 10 MB larger until the file is read anew.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";

const NAMES = ["BUN_BE_BUN", "BUN_OPTIONS", "BUN_INSPECT_PRELOAD"];
const REPLACEMENT = "#".charCodeAt(0);

const [path = ""] = process.argv.slice(2);
if (process.platform === "linux") {
  const executable = readFileSync(path);
  for (const name of NAMES) {
    // As the runtime keeps it: a whole string that ends in NUL. The bundled code comes later in the file.
    const at = executable.indexOf(`${name}\0`);
    if (at === -1) throw new Error(`${path}: the runtime's string ${name} was not found`);
    executable[at] = REPLACEMENT;
  }
  // A file of its own: the executable may be running.
  writeFileSync(`${path}.new`, executable, { mode: 0o755, flush: true });
  renameSync(`${path}.new`, path);
  // POSIX_FADV_DONTNEED, which has no other name here. It is no loss where there is no dd.
  spawnSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}
