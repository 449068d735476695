/** Whether the file system keeps what a `file:` store promises: that an answered write survives a power failure. */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileProblem } from "../errors.ts";
import { advise, type Check, mustDo, ok, unknown } from "./check.ts";
import type { Machine } from "./machine.ts";

/** In memory: gone with the power. */
const VOLATILE: ReadonlySet<string> = new Set(["tmpfs", "ramfs", "devtmpfs"]);
/** On another machine: locks and fsync are what that machine, and the way to it, make of them. */
const REMOTE = /^(?:nfs|nfs4|cifs|smb3|smbfs|9p|afs|ceph|glusterfs|vboxsf|virtiofs|fuse\..*)$/;
/** No device that keeps its promise is faster. */
const FASTEST_MS = 0.015;
const PROBES = 9;
const LEAST_FREE = 100 * 1024 * 1024;

interface Mount {
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** What lies at `folder`, by the system's own list of mounts. */
export function checkFileSystem(machine: Machine, folder: string): Check {
  const name = "file system";
  const mount = mountOf(machine, folder);
  if (mount === undefined) return unknown(name, `it cannot be told what ${folder} lies on`);
  const { type, options, point } = mount;
  const place = `${folder} lies on ${type} (${point})`;
  if (VOLATILE.has(type)) return mustDo(name, `${place}, which is memory`, "keep the store on a disk");
  if (REMOTE.test(type)) {
    return mustDo(name, `${place}, where neither locks nor fsync can be relied on`, "keep the store on a local disk");
  }
  const unsafe = options.find((option) => /^(?:nobarrier|barrier=0|ro)$/.test(option));
  if (unsafe !== undefined) return mustDo(name, `${place}, mounted with ${unsafe}`, `mount it without ${unsafe}`);
  if (type === "overlay") {
    return advise(name, `${place}: in a container this goes with the container`, "keep the store on a volume");
  }
  return ok(name, place);
}

/** `probe` gives the milliseconds that writes with fsync took in the folder. */
export function checkSync(folder: string, probe: (folder: string) => readonly number[] = probeSync): Check {
  const name = "fsync";
  let times: readonly number[];
  try {
    times = probe(folder);
  } catch (error) {
    return unknown(
      name,
      `nothing can be written to ${folder}: ${fileProblem(error)}`,
      "run the doctor as the server's user",
    );
  }
  const median = times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
  const shown = `${median.toFixed(median < 1 ? 3 : 1)} ms`;
  if (median < FASTEST_MS) {
    return mustDo(name, `it takes ${shown}: faster than any disk, so nothing is synced`, "keep the store on a disk");
  }
  if (median > 50)
    return advise(name, `it takes ${shown}: every write waits so long`, "a faster disk makes for faster writes");
  return ok(name, `it takes ${shown}`);
}

export function checkSpace(folder: string): Check {
  const name = "free space";
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  const free = bavail * bsize;
  const shown = `${Math.floor(free / 1024 / 1024)} MiB`;
  if (free < LEAST_FREE)
    return mustDo(name, `${shown} are left at ${folder}`, "a full disk takes no writes: make room");
  if (files > 0 && ffree < 100) return mustDo(name, `${ffree} inodes are left at ${folder}`, "make room");
  return ok(name, `${shown} are left at ${folder}`);
}

/** In a folder of its own, so that nothing of the store is touched; removed at once. */
function probeSync(folder: string): number[] {
  const own = mkdtempSync(join(folder, ".doctor-"));
  try {
    const file = openSync(join(own, "probe"), "wx", 0o600);
    try {
      const block = new Uint8Array(4096);
      return Array.from({ length: PROBES }, () => {
        writeSync(file, block);
        const started = performance.now();
        fsyncSync(file);
        return performance.now() - started;
      });
    } finally {
      closeSync(file);
    }
  } finally {
    rmSync(own, { recursive: true });
  }
}

/** The mount with the longest point that holds `folder`; of two at one point the later lies above. */
function mountOf(machine: Machine, folder: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of machine.read("/proc/self/mountinfo")?.split("\n") ?? []) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , , point = "", options = ""] = before.split(" ");
    const [type = "", , more = ""] = after.split(" ");
    if (type === "" || !isWithin(folder, plain(point)) || point.length < (found?.point.length ?? 0)) continue;
    found = { point: plain(point), type, options: [...options.split(","), ...more.split(",")] };
  }
  return found;
}

function isWithin(path: string, folder: string): boolean {
  return folder === "/" || path === folder || path.startsWith(`${folder}/`);
}

/** A space in a path stands there as \040. */
function plain(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
