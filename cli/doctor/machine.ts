/** The system as the doctor reads it: `/proc` and `/sys` of Linux, and which process is the server. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { statOf } from "./stat.ts";

/** Files of the system's own. What is not there, or not for this user, is undefined or empty. */
export interface Machine {
  read(path: string): string | undefined;
  list(path: string): readonly string[];
  /** What a symbolic link names. */
  link(path: string): string | undefined;
}

/** The machine whose root folder is `root`. */
export function openMachine(root = "/"): Machine {
  const attempt = <T>(act: () => T): T | undefined => {
    try {
      return act();
    } catch {
      return undefined;
    }
  };
  return {
    read: (path) => attempt(() => readFileSync(join(root, path), "utf8")),
    list: (path) => attempt(() => readdirSync(join(root, path))) ?? [],
    link: (path) => attempt(() => readlinkSync(join(root, path))),
  };
}

/** The process to look at: the server that has the store open, else the one that looks, whose settings a server would inherit. */
export interface Subject {
  /** A folder of /proc. */
  readonly proc: string;
  readonly isServer: boolean;
  /** For the sentences: "the server (pid 7)". */
  readonly name: string;
}

/** Finds it by the lock that a server holds on its store (`coffer.lock`, a POSIX lock), which nothing has to be opened for. */
export function subjectOf(machine: Machine, lock: string | undefined): Subject {
  const pid = lock === undefined ? undefined : holderOf(machine, lock);
  if (pid === undefined) return { proc: "/proc/self", isServer: false, name: "this shell" };
  return { proc: `/proc/${pid}`, isServer: true, name: `the server (pid ${pid})` };
}

function holderOf(machine: Machine, lock: string): string | undefined {
  const stat = statOf(lock);
  if (stat === undefined) return undefined;
  const device = deviceText(stat.dev);
  for (const line of machine.read("/proc/locks")?.split("\n") ?? []) {
    const [, pid = "0", at = "", inode] =
      /^\d+: POSIX\s+ADVISORY\s+WRITE\s+(\d+)\s+([\da-f]+:[\da-f]+):(\d+)/.exec(line) ?? [];
    // 0: a process that cannot be seen from here.
    if (inode !== String(stat.ino) || pid === "0") continue;
    // Some file systems (btrfs, overlay) name another device here than there.
    if (at === device || hasOpen(machine, pid, lock)) return pid;
  }
  return undefined;
}

function hasOpen(machine: Machine, pid: string, path: string): boolean {
  return machine.list(`/proc/${pid}/fd`).some((fd) => machine.link(`/proc/${pid}/fd/${fd}`) === path);
}

/** Major and minor number of a device, as the kernel packs them and as it prints them. */
function deviceText(dev: number): string {
  const major = Math.floor(dev / 256) % 4096;
  const minor = (dev % 256) + Math.floor(dev / 1_048_576) * 256;
  return `${hex(major)}:${hex(minor)}`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}
