/** Which files keep nothing of what is written to them, so that they do not stand in for one that fails. */
import { expect, test } from "bun:test";
import { readFileSync, renameSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { openAuditDevice } from "../cli/audit/open.ts";
import { newFolder } from "./executable.ts";

test("a device keeps nothing where it is /dev/null, whatever leads there", async () => {
  const linked = join(newFolder(), "dev");
  symlinkSync("/dev", linked);
  const node = join(newFolder(), "node");
  // Root alone makes one.
  const isMade = Bun.spawnSync(["mknod", node, "c", "1", "3"], { stderr: "ignore" }).success;
  const places: Record<string, boolean> = {
    "/dev/null": true,
    [join(linked, "null")]: true,
    ...(isMade && { [node]: true }),
    [join(newFolder(), "audit.log")]: false,
    // Another device, which takes nothing: that is one that fails.
    "/dev/full": false,
  };
  for (const [file_path, expected] of Object.entries(places)) {
    const device = await openAuditDevice("file", { file_path });
    expect([file_path, device.keepsNothing]).toEqual([file_path, expected]);
    await device.close();
  }
});

test("a device keeps something again when a file has taken the place of /dev/null, and the other way round", async () => {
  const folder = join(newFolder(), "place");
  const file_path = join(folder, "null");
  symlinkSync("/dev", folder);
  const device = await openAuditDevice("file", { file_path });
  expect(device.keepsNothing).toBe(true);
  unlinkSync(folder);
  await device.reopen();
  expect(device.keepsNothing).toBe(false);
  await device.write("a\n");
  expect(readFileSync(file_path, "utf8")).toBe("a\n");
  renameSync(folder, `${folder}.old`);
  symlinkSync("/dev", folder);
  await device.reopen();
  expect(device.keepsNothing).toBe(true);
  await device.close();
});

test.each([
  ["ignore", true],
  ["pipe", false],
] as const)("a device keeps nothing as standard output where that leads to /dev/null: %s", async (stdout, expected) => {
  const source = JSON.stringify(join(import.meta.dir, "../cli/audit/file-device.ts"));
  const program = `import { openStdoutDevice } from ${source}; console.error(openStdoutDevice().keepsNothing);`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout, stderr: "pipe" });
  expect(await child.stderr.text()).toBe(`${expected}\n`);
});
