/** The log in a process of its own, whose stderr is a real pipe that nobody reads. */

import { expect, test } from "bun:test";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "./executable.ts";

const LINES = 10 * 1024;

/** Starts test/cli/log-writer.ts with a pipe as stderr. The pipe is held open for reading, and not read. */
function startWriter() {
  const path = join(newFolder(), "stderr");
  Bun.spawnSync(["mkfifo", path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "cli/log-writer.ts")], {
    stdio: ["pipe", "pipe", writer],
  });
  closeSync(writer);
  return { child, path, stopHolding: () => closeSync(reader) };
}

async function readUntil(stream: ReadableStream<Uint8Array>, end: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream.values({ preventCancel: true })) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(end)) break;
  }
  return text;
}

test("10 MiB of log that nobody reads hold up neither the answers nor the exit", async () => {
  const { child, stopHolding } = startWriter();
  const said = await readUntil(child.stdout, "flushed");
  expect(said.match(/^answer \d true$/gm)).toHaveLength(10);
  await child.stdin.write("end\n");
  await child.stdin.end();
  // A process that waited for a reader would not end.
  expect(await child.exited).toBe(0);
  stopHolding();
});

test("a reader who comes late gets whole lines, and is told how many are missing", async () => {
  const { child, path, stopHolding } = startWriter();
  await readUntil(child.stdout, "flushed");
  const reader = Bun.spawn(["cat", path], { stdout: "pipe" });
  const text = reader.stdout.text();
  await child.stdin.write("more\n");
  await child.stdin.end();
  expect(await child.exited).toBe(0);
  stopHolding();
  const lines = (await text)
    .trimEnd()
    .split("\n")
    .map((line): Record<string, unknown> => JSON.parse(line));
  const kept = lines.filter(({ msg }) => msg === "a line");
  const numbers = kept.map(({ line }) => Number(line));
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  // A queue of 1 MiB, a pipe of 64 KiB and a write of as much that waits for it: the rest did not stay in memory.
  expect(kept.length).toBeGreaterThan(900);
  expect(kept.length).toBeLessThan((1.25 * 1024 * 1024) / 1000);
  expect(kept[0]).toMatchObject({ level: "info", time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) });
  const missing = lines.filter(({ dropped }) => dropped !== undefined);
  expect(missing).toHaveLength(1);
  // The last line may have been dropped too, when the reader was slower than the order to write it.
  const last = lines.filter(({ msg }) => msg === "the last line").length;
  expect(kept.length + Number(missing[0]?.["dropped"])).toBe(LINES + 1 - last);
});
