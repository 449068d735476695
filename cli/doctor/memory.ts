/** Whether what the server holds in memory can get to a disk: by a core dump, or by swapping. */
import { basename } from "node:path";
import { type Check, mustDo, ok, unknown } from "./check.ts";
import type { Machine, Subject } from "./machine.ts";

/** Handlers that store nothing for a process whose limit is 0. */
const HEED_LIMIT: ReadonlySet<string> = new Set(["systemd-coredump", "apport"]);
const NO_CORE = "set LimitCORE=0 in its unit, or ulimit -c 0 before it starts";

export function checkCoreDumps(machine: Machine, { proc, name }: Subject): Check {
  const limit = /^Max core file size\s+(\S+)/m.exec(machine.read(`${proc}/limits`) ?? "")?.[1];
  const pattern = machine.read("/proc/sys/kernel/core_pattern")?.trim();
  if (limit === undefined || pattern === undefined) {
    return unknown("core dumps", `the limit of ${name} cannot be read`, NO_CORE);
  }
  if (!pattern.startsWith("|")) {
    if (limit === "0") return ok("core dumps", `the limit of ${name} is 0`);
    return mustDo("core dumps", `the limit of ${name} is ${limit}: a crash would write its memory to a disk`, NO_CORE);
  }
  const handler = basename(pattern.slice(1).trim().split(/\s/)[0] ?? "");
  if (limit === "0" && HEED_LIMIT.has(handler)) {
    return ok("core dumps", `the limit of ${name} is 0, which ${handler} heeds`);
  }
  // To a program the kernel hands every dump, whatever the limit (core(5)).
  const advice = HEED_LIMIT.has(handler) ? NO_CORE : `${NO_CORE}, and sysctl kernel.core_pattern=core`;
  return mustDo("core dumps", `${handler} gets the memory of a process that crashes; the limit is ${limit}`, advice);
}

export function checkSwap(machine: Machine, subject: Subject): Check {
  const swaps = machine.read("/proc/swaps");
  if (swaps === undefined) return unknown("swap", "it cannot be told what is swapped, and where to");
  const places = swaps.trim().split("\n").slice(1);
  if (places.length === 0) return ok("swap", "there is none");
  const clear = places.map((line) => line.split(/\s/)[0] ?? "").filter((device) => !isSafe(machine, device));
  if (clear.length === 0) return ok("swap", "it is encrypted, or in memory");
  if (isKeptOut(machine, subject)) return ok("swap", `${subject.name} is kept out of it (memory.swap.max is 0)`);
  return mustDo(
    "swap",
    `${clear.join(", ")} is not known to be encrypted: keys may get there`,
    "set MemorySwapMax=0 in the server's unit, or swapoff -a, or encrypt it",
  );
}

/** Compressed memory, or a device that dm-crypt stands behind, itself or below what LVM makes of it. */
function isSafe(machine: Machine, device: string): boolean {
  const name = basename(device);
  if (name.startsWith("zram")) return true;
  if (!device.startsWith("/dev/")) return false;
  if (machine.read(`/sys/block/${name}/dm/uuid`)?.startsWith("CRYPT-") === true) return true;
  const below = machine.list(`/sys/block/${name}/slaves`);
  return below.length > 0 && below.every((each) => isSafe(machine, `/dev/${each}`));
}

/** Whether the control group of the server, or one above it, lets nothing be swapped. */
function isKeptOut(machine: Machine, { proc, isServer }: Subject): boolean {
  if (!isServer) return false;
  let group = /^0::(\/.*)$/m.exec(machine.read(`${proc}/cgroup`) ?? "")?.[1];
  while (group !== undefined && group !== "" && group !== "/") {
    if (machine.read(`/sys/fs/cgroup${group}/memory.swap.max`)?.trim() === "0") return true;
    group = group.slice(0, group.lastIndexOf("/"));
  }
  return false;
}
