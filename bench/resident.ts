/** How much memory a process holds, on Linux: from /proc. */
import { readFileSync } from "node:fs";

export interface Resident {
  /** VmRSS: what the process has in memory, the mapped pages of the executable included. In MB. */
  readonly all: number;
  /** RssAnon: without those pages, which the system can drop and which processes share. In MB. */
  readonly own: number;
}

export function resident(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (field: string) =>
    (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024) / 1e6;
  return { all: megabytes("VmRSS"), own: megabytes("RssAnon") };
}
