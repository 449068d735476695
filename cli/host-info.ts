/** What `sys/host-info` tells of the machine, under the names that Vault takes from gopsutil. */
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { arch, cpus, freemem, hostname, platform, release, totalmem, uptime } from "node:os";

/** Reads it anew at each call. What this system does not tell is left out. */
export async function hostInfo(): Promise<object> {
  const processors = cpus();
  const total = totalmem();
  const available = kilobytes("MemAvailable") ?? freemem();
  const seconds = Math.floor(uptime());
  return {
    timestamp: new Date().toISOString(),
    cpu: processors.map(({ model, speed }, cpu) => ({ cpu, modelName: model, mhz: speed, cores: 1 })),
    cpu_times: processors.map(({ times }, cpu) => ({
      cpu: `cpu${cpu}`,
      user: times.user / 1000,
      nice: times.nice / 1000,
      system: times.sys / 1000,
      idle: times.idle / 1000,
      irq: times.irq / 1000,
    })),
    disk: await disks(),
    host: {
      hostname: hostname(),
      uptime: seconds,
      bootTime: Math.floor(Date.now() / 1000) - seconds,
      os: platform(),
      kernelVersion: release(),
      kernelArch: arch() === "x64" ? "x86_64" : arch() === "arm64" ? "aarch64" : arch(),
    },
    memory: {
      total,
      available,
      used: total - available,
      usedPercent: percent(total - available, total),
      free: kilobytes("MemFree") ?? freemem(),
      swapTotal: kilobytes("SwapTotal"),
      swapFree: kilobytes("SwapFree"),
    },
  };
}

/** The file systems that lie on a device, each once. */
async function disks(): Promise<object[]> {
  const found: object[] = [];
  const devices = new Set<string>();
  for (const line of lines("/proc/self/mounts")) {
    const [device = "", path = "", fstype = ""] = line.split(" ").map(plainPath);
    if (!device.startsWith("/dev/") || devices.has(device)) continue;
    devices.add(device);
    const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
    const used = (blocks - bfree) * bsize;
    found.push({
      path,
      fstype,
      total: blocks * bsize,
      free: bavail * bsize,
      used,
      usedPercent: percent(used, used + bavail * bsize),
      inodesTotal: files,
      inodesUsed: files - ffree,
      inodesFree: ffree,
      inodesUsedPercent: percent(files - ffree, files),
    });
  }
  return found;
}

/** A space in a path stands there as \040. */
function plainPath(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}

/** A field of /proc/meminfo, in bytes. */
function kilobytes(field: string): number | undefined {
  const line = lines("/proc/meminfo").find((each) => each.startsWith(`${field}:`));
  const value = /(\d+) kB$/.exec(line ?? "")?.[1];
  return value === undefined ? undefined : Number(value) * 1024;
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n");
  } catch {
    // Another system than Linux.
    return [];
  }
}
