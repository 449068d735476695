import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";

/** statfs(2): file systems in memory, where a sync of the disk costs nothing. */
const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;

export interface Folder extends Disposable {
  readonly path: string;
}

/** An empty folder below `parent`, which must lie on a disk; removed when it is disposed of. */
export function temporaryFolder(parent: string): Folder {
  mkdirSync(parent, { recursive: true });
  const { type } = statfsSync(parent);
  if (type === TMPFS || type === RAMFS) throw new Error(`${parent} lies in memory: name a folder on a disk`);
  const path = mkdtempSync(join(parent, "bench-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
