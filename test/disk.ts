/** File systems of their own, for tests of disks that are full or read-only. */
import { expect } from "bun:test";
import { newFolder } from "./executable.ts";

export interface Disk extends Disposable {
  readonly path: string;
  remount(option: string): void;
}

/** A file system as large as `size` says; undefined where this user may not mount one. */
export function mountDisk(size: string): Disk | undefined {
  const path = newFolder();
  const run = (...command: string[]) => Bun.spawnSync(command, { stderr: "ignore" }).success;
  if (!run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path)) return undefined;
  return {
    path,
    remount: (option) => expect(run("mount", "-o", `remount,${option}`, path)).toBe(true),
    [Symbol.dispose]: () => void run("umount", "-l", path),
  };
}

/** Why tests of disks cannot run here; empty when they can. */
export const skipDisks = (() => {
  using disk = mountDisk("1m");
  return disk === undefined ? " (skipped: mounting a tmpfs needs root)" : "";
})();
