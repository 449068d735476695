/** Audit devices on files: what is slow, gone or stuck, full, or no file. */
import { describe, expect, test } from "bun:test";
import {
  readdirSync,
  readlinkSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openAuditDevice } from "../cli/audit/open.ts";
import { newFolder } from "./executable.ts";
import { rejection, turns } from "./harness.ts";

/** Of a descriptor that is closed by now: nothing. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function makePipe(): string {
  const path = join(newFolder(), "pipe");
  expect(Bun.spawnSync(["mkfifo", path]).success).toBe(true);
  return path;
}

/** A device on a pipe with a reader, and a line that is more than the pipe holds. */
async function openPipe() {
  const file_path = makePipe();
  const reader = openSync(file_path, constants.O_RDONLY | constants.O_NONBLOCK);
  const device = await openAuditDevice("file", { file_path });
  return { file_path, reader, device, line: `${"x".repeat(200_000)}\n` };
}

/** What is in a pipe at the moment. */
function drain(reader: number): string {
  const buffer = Buffer.alloc(65_536);
  let text = "";
  try {
    for (let read = readSync(reader, buffer); read > 0; read = readSync(reader, buffer))
      text += buffer.toString("latin1", 0, read);
  } catch {
    // Empty at the moment.
  }
  return text;
}

/** What comes out of a pipe first, when it comes. */
async function firstOf(reader: number): Promise<string> {
  for (;;) {
    const text = drain(reader);
    if (text !== "") return text;
    await turns(1);
  }
}

describe("a file", () => {
  const path = () => join(newFolder(), "logs", "audit.log");

  test("is made with its folder, for its owner alone, and appended to", async () => {
    const file_path = path();
    for (const line of ["a\n", "b\n"]) {
      const device = await openAuditDevice("file", { file_path });
      await device.write(line);
      await device.close();
    }
    expect(readFileSync(file_path, "utf8")).toBe("a\nb\n");
    expect(statSync(file_path).mode & 0o777).toBe(0o600);
  });

  test("has the mode that was asked for, whatever it had before", async () => {
    const file_path = path();
    for (const mode of ["0640", "600"]) {
      await (await openAuditDevice("file", { file_path, mode })).close();
      expect(statSync(file_path).mode & 0o777).toBe(Number.parseInt(mode, 8));
    }
    await (await openAuditDevice("file", { file_path, mode: "0000" })).close();
    expect(statSync(file_path).mode & 0o777).toBe(0o600);
  });

  test.each(["0755", "4600", "1"])("cannot have the mode %s: nobody is to run it", async (mode) => {
    const file_path = path();
    expect((await rejection(openAuditDevice("file", { file_path, mode }))).message).toContain("mode");
    expect(existsSync(file_path)).toBe(false);
  });

  test("that became a symbolic link is not followed", async () => {
    const file_path = path();
    const device = await openAuditDevice("file", { file_path });
    const victim = `${file_path}.victim`;
    writeFileSync(victim, "mine\n", { mode: 0o644 });
    renameSync(file_path, `${file_path}.1`);
    symlinkSync(victim, file_path);
    await rejection(device.reopen());
    await device.write("a\n");
    await device.close();
    expect([readFileSync(victim, "utf8"), statSync(victim).mode & 0o777]).toEqual(["mine\n", 0o644]);
    expect(readFileSync(`${file_path}.1`, "utf8")).toBe("a\n");
  });

  test("that is reopened several times at once is open once", async () => {
    const file_path = path();
    const device = await openAuditDevice("file", { file_path });
    await Promise.all(Array.from({ length: 5 }, () => device.reopen()));
    const open = readdirSync("/proc/self/fd").filter((fd) => linkOf(`/proc/self/fd/${fd}`) === file_path);
    expect(open).toHaveLength(1);
    await device.write("a\n");
    await device.close();
    expect(readFileSync(file_path, "utf8")).toBe("a\n");
  });

  test("that was renamed is made anew when it is reopened, and no line is lost between the two", async () => {
    const file_path = path();
    const device = await openAuditDevice("file", { file_path });
    const lines = Array.from({ length: 100 }, (_none, index) => `${index}\n`);
    const writes = lines.slice(0, 50).map((line) => device.write(line));
    renameSync(file_path, `${file_path}.1`);
    const reopened = device.reopen();
    writes.push(...lines.slice(50).map((line) => device.write(line)));
    await Promise.all([...writes, reopened]);
    await device.write("last\n");
    await device.close();
    const [old, fresh] = [readFileSync(`${file_path}.1`, "utf8"), readFileSync(file_path, "utf8")];
    expect(old + fresh).toBe(`${lines.join("")}last\n`);
    expect(fresh.endsWith("last\n")).toBe(true);
  });

  test("that cannot be reopened goes on as it was", async () => {
    const file_path = path();
    const device = await openAuditDevice("file", { file_path });
    renameSync(join(file_path, ".."), join(file_path, "../../moved"));
    await Bun.write(join(file_path, ".."), "a file in the place of the folder");
    await rejection(device.reopen());
    await device.write("a\n");
    await device.close();
    expect(readFileSync(join(file_path, "../../moved/audit.log"), "utf8")).toBe("a\n");
  });

  test("that nobody reads, as a pipe, is refused and does not hold who opens it", async () => {
    const file_path = makePipe();
    const { message } = await rejection(openAuditDevice("file", { file_path }));
    expect(message).toContain("sanity check failed");
  });

  test("that is closed while its reader stops writes nothing into what has its number next", async () => {
    const { reader, device, line } = await openPipe();
    const writing = rejection(device.write(line));
    await writing;
    await device.close();
    const next = join(newFolder(), "other");
    const others = Array.from({ length: 20 }, (_none, index) => openSync(`${next}.${index}`, "w"));
    closeSync(reader);
    // Longer than a write to a full pipe waits before it tries again.
    await Bun.sleep(50);
    for (const descriptor of others) closeSync(descriptor);
    expect(others.map((_each, index) => statSync(`${next}.${index}`).size)).toEqual(others.map(() => 0));
  });

  test("whose reader stops, as a pipe's, fails in time, and gets whole lines when it reads again", async () => {
    const { reader, device, line } = await openPipe();
    expect((await rejection(device.write(line))).message).toContain("does not take");
    expect((await rejection(device.write("at once\n"))).message).toContain("does not take");
    let read = "";
    const buffer = new Uint8Array(65_536);
    while (!read.endsWith("later\n")) {
      await device.write("later\n").catch(() => undefined);
      try {
        read += new TextDecoder().decode(buffer.subarray(0, readSync(reader, buffer)));
      } catch {
        // Empty at the moment.
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(read.startsWith(line)).toBe(true);
    expect(read.slice(line.length)).toMatch(/^(?:later\n)+$/);
    await device.close();
    closeSync(reader);
  });

  test.each([
    ["that was renamed", true],
    ["that is the same", false],
  ])("that is stuck, as a pipe's, goes on in a pipe or file %s when it is reopened", async (_what, isRenamed) => {
    const { file_path, reader, device, line } = await openPipe();
    const writing = rejection(device.write(line));
    let before = await firstOf(reader);
    if (isRenamed) renameSync(file_path, `${file_path}.1`);
    // The first waits until the write counts as stuck.
    await Promise.all([device.reopen(), device.reopen()]);
    await writing;
    before += drain(reader);
    // Longer than a write to a full pipe waits before it tries again: what was given up does not go on.
    await Bun.sleep(50);
    expect(line.startsWith(before)).toBe(true);
    await device.write("new\n");
    expect(isRenamed ? readFileSync(file_path, "utf8") : drain(reader)).toBe(isRenamed ? "new\n" : "\nnew\n");
    await device.close();
    closeSync(reader);
  });

  test("that is reopened while a line goes out, as slowly as to a pipe, gets the whole line", async () => {
    const { file_path, reader, device, line } = await openPipe();
    const writing = device.write(line);
    let read = await firstOf(reader);
    renameSync(file_path, `${file_path}.1`);
    const done = Promise.all([writing, device.reopen()]).then(() => true);
    while (!(await Promise.race([done, turns(1)]))) read += drain(reader);
    expect(read + drain(reader)).toBe(line);
    await device.close();
    closeSync(reader);
  });

  test("may be none", async () => {
    const device = await openAuditDevice("file", { file_path: "discard" });
    await device.write("a\n");
    await device.reopen();
    await device.close();
    expect(existsSync("discard")).toBe(false);
  });
});

test.each([
  ["", {}, 'unknown backend type: ""'],
  ["hunter2", {}, "unknown backend type:"],
  ["file", {}, "file_path is required"],
  ["file", { file_path: "/dev/null/hunter2" }, "sanity check failed; unable to open the file for writing: ENOTDIR"],
  ["file", { file_path: "discard", mode: "hunter2" }, 'strconv.ParseUint: parsing "mode": invalid syntax'],
  ["file", { file_path: "discard", hunter2: "x" }, "an option of this device is not known"],
  ["socket", {}, "address is required"],
  ["socket", { address: "hunter2" }, '"address" is no host and port'],
  ["socket", { address: "127.0.0.1:0" }, '"address" is no host and port'],
  ["socket", { address: "a:1", socket_type: "hunter2" }, '"socket_type" may be "tcp" or "unix"'],
  ["socket", { address: "a:1", write_timeout: "hunter2" }, '"write_timeout" is no duration'],
  ["socket", { address: "a:1", write_timeout: "2m" }, '"write_timeout" must be between 1s and 60s'],
])("type %p with %p is refused, without a value", async (type, options, text) => {
  const { message } = await rejection(openAuditDevice(type, options));
  expect(message).toContain(text);
  expect(message).not.toContain("hunter2");
});
