/** Stores as processes leave them, and what may become of their files. */
import * as fs from "node:fs";
import { openFile } from "../storage/file.ts";
import { fatal, startChild } from "./file-store.ts";

/** A store with 200 values of 4 KiB that was closed. */
export async function makeStore(path: string): Promise<void> {
  await using driver = await openFile(path, { fatal });
  await Promise.all(Array.from({ length: 200 }, (_, index) => driver.put(`key${index}`, new Uint8Array(4096))));
}

/** Twenty values `late0`, … of 4 KiB, one transaction each. */
export const LATE = `for (let index = 0; index < 20; index++) await driver.put("late" + index, new Uint8Array(4096).fill(index));`;

/** A store whose last writes are in the log, as a process leaves it that was killed. */
export async function makeKilledStore(path: string, writes = LATE): Promise<void> {
  await makeStore(path);
  await using child = startChild(`
    const driver = await open(${JSON.stringify(path)});
    ${writes}
    console.log("written");
  `);
  await child.lines.next();
  child.kill();
  await child.exited;
}

export function shorten(path: string, bytes: number): void {
  fs.truncateSync(path, fs.statSync(path).size - bytes);
}

/** Flips one bit of a file. */
export function flip(path: string, at: number): void {
  const bytes = fs.readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  fs.writeFileSync(path, bytes);
}
