/** `coffer operator doctor`: looks at the machine, the configuration, the store and the server, and says what to do. */
import { realpathSync, statSync } from "node:fs";
import manifest from "../../package.json";
import { storePaths } from "../../storage/file-format.ts";
import type { Client } from "../client.ts";
import { type Config, loadConfig, parseConfig } from "../config.ts";
import type { Context } from "../context.ts";
import { type Check, mustDo, ok, type State, unknown } from "../doctor/check.ts";
import { checkClock, type Clocks } from "../doctor/clock.ts";
import { checkEnvironment } from "../doctor/environment.ts";
import { type Machine, openMachine, subjectOf } from "../doctor/machine.ts";
import { checkCoreDumps, checkSwap } from "../doctor/memory.ts";
import { checkListeners } from "../doctor/network.ts";
import { checkConfigFile, checkKeyFile, checkStore } from "../doctor/permissions.ts";
import { checkServer } from "../doctor/server.ts";
import { checkFileSystem, checkSpace, checkSync } from "../doctor/storage.ts";
import { statOf } from "../doctor/stat.ts";
import { asCliError } from "../errors.ts";
import { columns } from "../table.ts";

export interface DoctorFlags {
  /** Path of coffer.toml. */
  readonly config?: string;
  /** URL of the store; it takes the place of the configuration's. */
  readonly storage?: string;
}

const WORDS: Readonly<Record<State, string>> = { ok: "OK", advice: "ADVICE", todo: "TO DO", unknown: "UNKNOWN" };

/** Prints a line for each thing. Exit code 0: nothing must be done; 2: something must. */
export async function doctor(context: Context, flags: DoctorFlags): Promise<number> {
  const checks = await examine(openMachine(), context.client, flags);
  const rows = checks.map(({ name, state, found, advice }) => [
    WORDS[state],
    name,
    advice === "" ? found : `${found}; ${advice}`,
  ]);
  await context.print(columns(rows), { checks });
  const left = checks.filter(({ state }) => state === "todo").length;
  if (left > 0 && context.format === "table") {
    await context.terminal.stderr.write(`coffer: ${left === 1 ? "one thing has" : `${left} things have`} to be done\n`);
  }
  return left > 0 ? 2 : 0;
}

/** Everything that can be looked at, in the order in which it is printed. */
async function examine(machine: Machine, client: Client, flags: DoctorFlags): Promise<Check[]> {
  const { config, checks } = configuration(flags.config);
  const { tls, address, unsafeWithoutTls } = config.listener;
  const folder = folderOf(flags.storage ?? config.storage);
  const subject = subjectOf(machine, folder.path && storePaths(folder.path).lock);
  const files = folder.path === undefined ? [] : filesOf(folder.path);
  return [
    ...checks,
    ...(tls === undefined ? [] : [checkKeyFile(tls.key)]),
    ...folder.checks,
    ...(folder.path === undefined ? [] : ofFolder(machine, folder.path, files)),
    await checkClock(clocks(), files),
    checkCoreDumps(machine, subject),
    checkSwap(machine, subject),
    checkEnvironment(machine, subject),
    ...checkListeners(machine, subject, {
      address,
      hasTls: tls !== undefined,
      isAllowedInClear: unsafeWithoutTls,
    }),
    ...(await checkServer(client, manifest.version, () => Date.now())),
  ];
}

interface Read {
  readonly config: Config;
  readonly checks: readonly Check[];
}

function configuration(path: string | undefined): Read {
  const defaults = parseConfig("", "");
  if (path === undefined) return { config: defaults, checks: [] };
  try {
    const config = loadConfig(path);
    const checks = [ok("configuration", `${path} can be read`), checkConfigFile(realpathSync(path))];
    return { config, checks };
  } catch (error) {
    const { message, hints } = asCliError(error);
    return { config: defaults, checks: [mustDo("configuration", message, hints.join("; "))] };
  }
}

/** The folder of a `file:` store, where there is one already. */
function folderOf(url: string | undefined): { readonly path: string | undefined; readonly checks: readonly Check[] } {
  const none = (check: Check) => ({ path: undefined, checks: [check] });
  if (url === undefined)
    return none(unknown("store", "none was named", "name it: --storage file:/var/lib/coffer, or --config"));
  if (url === "memory:") {
    return none(mustDo("store", "memory: keeps nothing when the server ends", "use file:/var/lib/coffer"));
  }
  const given = /^file:(?:\/\/(?=\/))?(.+)$/.exec(url)?.[1];
  if (given === undefined) return none(mustDo("store", "its URL is not one of a store", "use file:/var/lib/coffer"));
  try {
    if (!statSync(given).isDirectory())
      return none(mustDo("store", `${given} is no folder`, "name the folder of the store"));
    return { path: realpathSync(given), checks: [] };
  } catch {
    return none(
      unknown("store", `${given} is not there, or not for this user`, "the server makes it at its first start"),
    );
  }
}

/** The store's own files in its folder, those that are there. Nothing of them is opened. */
function filesOf(folder: string): string[] {
  const { db, wal, shm, journal, lock, fresh } = storePaths(folder);
  return [db, wal, shm, journal, lock, fresh].filter((file) => statOf(file) !== undefined);
}

function ofFolder(machine: Machine, folder: string, files: readonly string[]): Check[] {
  return [checkStore(folder, files), checkFileSystem(machine, folder), checkSync(folder), checkSpace(folder)];
}

function clocks(): Clocks {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    wait: (milliseconds) => Bun.sleep(milliseconds),
    builtAt: statSync(process.execPath).mtimeMs,
  };
}
