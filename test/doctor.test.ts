/** What the doctor says of a machine, by tables of machines; and of real folders and files. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Check } from "../cli/doctor/check.ts";
import { checkClock, type Clocks } from "../cli/doctor/clock.ts";
import { checkEnvironment } from "../cli/doctor/environment.ts";
import type { Machine, Subject } from "../cli/doctor/machine.ts";
import { checkCoreDumps, checkSwap } from "../cli/doctor/memory.ts";
import { checkListeners } from "../cli/doctor/network.ts";
import { checkConfigFile, checkKeyFile, checkStore } from "../cli/doctor/permissions.ts";
import { checkFileSystem, checkSpace, checkSync } from "../cli/doctor/storage.ts";
import { newFolder } from "./executable.ts";

/** A machine of these files and links; a folder lists what is directly in it. */
function machineOf(files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}): Machine {
  const below = (path: string) => (name: string) => (name.startsWith(`${path}/`) ? [name.slice(path.length + 1)] : []);
  return {
    read: (path) => files[path],
    list: (path) =>
      [...Object.keys(files), ...Object.keys(links)].flatMap(below(path)).map((name) => name.split("/")[0] ?? ""),
    link: (path) => links[path],
  };
}

const server: Subject = { proc: "/proc/7", isServer: true, name: "the server (pid 7)" };
const shell: Subject = { proc: "/proc/self", isServer: false, name: "this shell" };

/** State, and what was found. */
const told = ({ state, found }: Check) => `${state}: ${found}`;
const limit = (soft: string) =>
  `Limit  Soft Limit  Hard Limit  Units\nMax core file size        ${soft}      unlimited  bytes\n`;

describe("core dumps", () => {
  const advised = (pattern: string, soft: string) =>
    checkCoreDumps(
      machineOf({ "/proc/7/limits": limit(soft), "/proc/sys/kernel/core_pattern": `${pattern}\n` }),
      server,
    );

  test.each([
    ["core", "0", "ok"],
    ["core", "unlimited", "todo"],
    ["core", "4096", "todo"],
    ["|/usr/lib/systemd/systemd-coredump %P %u", "0", "ok"],
    ["|/usr/lib/systemd/systemd-coredump %P %u", "unlimited", "todo"],
    ["|/usr/share/apport/apport -p%p", "0", "ok"],
    // The kernel heeds no limit where a program takes the dump.
    ["|/bin/collect %p", "0", "todo"],
  ])("to %s with a limit of %s: %s", (pattern, soft, state) => {
    const check = advised(pattern, soft);
    expect(check.state).toBe(state as never);
    expect(check.advice === "").toBe(state === "ok");
  });

  test("that cannot be told are unknown, and are so of the process that was looked at", () => {
    expect(told(checkCoreDumps(machineOf({}), shell))).toBe("unknown: the limit of this shell cannot be read");
  });
});

describe("swap", () => {
  const HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  const crypt = { "/sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-1-swap\n" };
  const lvm = { "/sys/block/dm-1/dm/uuid": "LVM-x\n", "/sys/block/dm-1/slaves/dm-0": "" };
  const out = { "/proc/7/cgroup": "0::/system.slice/coffer.service\n" };

  test.each([
    ["none", "", {}, "ok: there is none"],
    ["compressed memory", "/dev/zram0 partition 1 0 5\n", {}, "ok: it is encrypted, or in memory"],
    [
      "a partition",
      "/dev/sda2 partition 1 0 -2\n",
      {},
      "todo: /dev/sda2 is not known to be encrypted: keys may get there",
    ],
    ["a file", "/swapfile file 1 0 -2\n", {}, "todo: /swapfile is not known to be encrypted: keys may get there"],
    ["an encrypted device", "/dev/dm-0 partition 1 0 -2\n", crypt, "ok: it is encrypted, or in memory"],
    [
      "LVM on an encrypted one",
      "/dev/dm-1 partition 1 0 -2\n",
      { ...crypt, ...lvm },
      "ok: it is encrypted, or in memory",
    ],
    [
      "LVM on a plain one",
      "/dev/dm-1 partition 1 0 -2\n",
      lvm,
      "todo: /dev/dm-1 is not known to be encrypted: keys may get there",
    ],
    [
      "a partition that its unit keeps it out of",
      "/dev/sda2 partition 1 0 -2\n",
      { ...out, "/sys/fs/cgroup/system.slice/memory.swap.max": "0\n" },
      "ok: the server (pid 7) is kept out of it (memory.swap.max is 0)",
    ],
    [
      "a partition that its unit lets it use",
      "/dev/sda2 partition 1 0 -2\n",
      { ...out, "/sys/fs/cgroup/system.slice/coffer.service/memory.swap.max": "max\n" },
      "todo: /dev/sda2 is not known to be encrypted: keys may get there",
    ],
  ])("%s", (_name, places, files, said) => {
    expect(told(checkSwap(machineOf({ "/proc/swaps": HEAD + places, ...files }), server))).toBe(said);
  });

  test("that cannot be told", () => expect(checkSwap(machineOf({}), server).state).toBe("unknown"));
});

describe("the environment", () => {
  test.each([
    ["nothing", "PATH=/bin\0HOME=/\0", server, "ok: the server (pid 7) has no variable that is dangerous"],
    ["what loads code", "LD_PRELOAD=/x/hunter2.so\0A=b\0", server, "todo: the server (pid 7) has LD_PRELOAD"],
    [
      "what writes keys down",
      "SSLKEYLOGFILE=/hunter2\0BUN_INSPECT_NOTIFY=hunter2\0",
      shell,
      "todo: this shell has SSLKEYLOGFILE, BUN_INSPECT_NOTIFY",
    ],
    ["what is empty", "LD_PRELOAD=\0", server, "ok: the server (pid 7) has no variable that is dangerous"],
    ["a client's token in a server", "VAULT_TOKEN=hunter2\0", server, "todo: the server (pid 7) has VAULT_TOKEN"],
    ["a client's token in a shell", "VAULT_TOKEN=hunter2\0", shell, "ok: this shell has no variable that is dangerous"],
  ])("with %s", (_name, environ, subject, said) => {
    const check = checkEnvironment(machineOf({ [`${subject.proc}/environ`]: environ }), subject);
    expect(told(check)).toBe(said);
    expect(JSON.stringify(check)).not.toContain("hunter2");
  });

  test("of another user is unknown", () => expect(checkEnvironment(machineOf({}), server).state).toBe("unknown"));
});

describe("a listener", () => {
  const configured = (address: string, hasTls = false, isAllowedInClear = false) => ({
    address,
    hasTls,
    isAllowedInClear,
  });

  test.each([
    [configured("127.0.0.1:8200"), "ok"],
    [configured("[::1]:8200"), "ok"],
    [configured("unix:///run/coffer.sock"), "ok"],
    [configured(":8200"), "todo"],
    [configured("0.0.0.0:8200"), "todo"],
    [configured("[::]:8200"), "todo"],
    [configured("0.0.0.0:8200", true), "ok"],
    [configured("0.0.0.0:8200", false, true), "advice"],
  ])("that is configured: %p is %s", (listener, state) => {
    expect(checkListeners(machineOf({}), shell, listener).map((check) => check.state)).toEqual([state as never]);
  });

  test("of a running server is what it listens on, whatever is configured", () => {
    const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    const line = (local: string, state: string, inode: number) =>
      `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100\n`;
    const machine = machineOf(
      {
        "/proc/7/net/tcp":
          head + line("0100007F:2008", "0A", 11) + line("0100007F:2008", "01", 12) + line("00000000:0050", "0A", 99),
        "/proc/7/net/tcp6": head + line("B80D0120000000000000000001000000:2009", "0A", 13),
      },
      {
        "/proc/7/fd/3": "socket:[11]",
        "/proc/7/fd/4": "socket:[12]",
        "/proc/7/fd/5": "socket:[13]",
        "/proc/7/fd/6": "pipe:[99]",
      },
    );
    expect(checkListeners(machine, server, configured("127.0.0.1:1")).map(told)).toEqual([
      "ok: 127.0.0.1:8200: this machine only",
      "todo: [2001:db8::1]:8201 can be reached from other machines without TLS",
    ]);
  });
});

describe("the clock", () => {
  const now = Date.parse("2026-06-01T00:00:00Z");
  /** `jump`: by how much the wall clock goes wrong while it is measured. */
  const clocks = (jump = 0, at = now): Clocks => {
    let [wall, monotonic] = [at, 0];
    return {
      now: () => wall,
      monotonic: () => monotonic,
      wait: async (milliseconds) => {
        wall += milliseconds + jump;
        monotonic += milliseconds;
      },
      builtAt: now - 86_400_000,
    };
  };

  test.each([
    ["that runs evenly", clocks(), "ok: it says 2026-06-01T00:00:00Z and runs evenly"],
    ["that is slewed", clocks(20), "ok: it says 2026-06-01T00:00:00Z and runs evenly"],
    ["that jumps ahead", clocks(3000), "todo: it jumped by 3000 ms within 200 ms"],
    ["that jumps back", clocks(-500), "todo: it jumped by 500 ms within 200 ms"],
    ["of 1970", clocks(0, 0), "todo: it says 1970-01-01T00:00:00Z, which is before this program was built"],
  ])("%s", async (_name, given, said) => expect(told(await checkClock(given, []))).toBe(said));

  test("that was set back since the store was written", async () => {
    const file = join(newFolder(), "coffer.db");
    writeFileSync(file, "");
    utimesSync(file, now / 1000, now / 1000);
    expect((await checkClock(clocks(), [file, "/nowhere"])).state).toBe("ok");
    utimesSync(file, now / 1000, now / 1000 + 60);
    expect(told(await checkClock(clocks(), [file]))).toBe(
      `todo: ${file} was written in the future: the clock was set back`,
    );
  });
});

describe("the file system", () => {
  const mounts = (line: string) =>
    machineOf({ "/proc/self/mountinfo": `1 0 8:1 / / rw - ext4 /dev/sda1 rw\n${line}\n` });
  const at = (type: string, options = "rw", point = "/var/lib/coffer") =>
    `2 1 8:2 / ${point} ${options} shared:1 - ${type} x rw`;

  test.each([
    ["", "ok: /var/lib/coffer lies on ext4 (/)"],
    [at("xfs", "rw", "/var/lib"), "ok: /var/lib/coffer lies on xfs (/var/lib)"],
    [at("xfs", "rw", "/var/li"), "ok: /var/lib/coffer lies on ext4 (/)"],
    [at("tmpfs"), "todo: /var/lib/coffer lies on tmpfs (/var/lib/coffer), which is memory"],
    [
      at("nfs4"),
      "todo: /var/lib/coffer lies on nfs4 (/var/lib/coffer), where neither locks nor fsync can be relied on",
    ],
    [
      at("fuse.sshfs"),
      "todo: /var/lib/coffer lies on fuse.sshfs (/var/lib/coffer), where neither locks nor fsync can be relied on",
    ],
    [
      at("overlay"),
      "advice: /var/lib/coffer lies on overlay (/var/lib/coffer): in a container this goes with the container",
    ],
    [at("ext4", "rw,nobarrier"), "todo: /var/lib/coffer lies on ext4 (/var/lib/coffer), mounted with nobarrier"],
    [at("ext4", "ro"), "todo: /var/lib/coffer lies on ext4 (/var/lib/coffer), mounted with ro"],
  ])("%p", (line, said) => expect(told(checkFileSystem(mounts(line), "/var/lib/coffer"))).toBe(said));

  test("that cannot be told", () => expect(checkFileSystem(machineOf({}), "/a").state).toBe("unknown"));

  test.each([
    [[0.2, 9, 0.3], "ok: it takes 0.300 ms"],
    [[0.001, 0.002, 5], "todo: it takes 0.002 ms: faster than any disk, so nothing is synced"],
    [[80, 70, 90], "advice: it takes 80.0 ms: every write waits so long"],
  ])("whose fsyncs take %p", (times, said) => expect(told(checkSync("/a", () => times))).toBe(said));

  test("to which nothing can be written is unknown, and one that can is left as it was", () => {
    expect(told(checkSync("/nowhere"))).toBe("unknown: nothing can be written to /nowhere: no such file");
    const folder = newFolder();
    expect(checkSync(folder).name).toBe("fsync");
    expect([...new Bun.Glob("**").scanSync({ cwd: folder, dot: true, onlyFiles: false })]).toEqual([]);
    expect(checkSpace(folder).found).toMatch(/^\d+ MiB are left at /);
  });
});

describe("permissions", () => {
  function place(mode: number): { readonly folder: string; readonly file: string } {
    const folder = join(newFolder(), "it's");
    mkdirSync(folder, { mode: 0o700 });
    const file = join(folder, "file");
    writeFileSync(file, "");
    chmodSync(file, mode);
    return { folder, file };
  }

  test.each([
    [0o700, 0o600, "ok"],
    [0o750, 0o600, "todo"],
    [0o700, 0o640, "todo"],
    [0o700, 0o604, "todo"],
  ])("of a store: %o with files of %o", (folderMode, mode, state) => {
    const { folder, file } = place(mode);
    chmodSync(folder, folderMode);
    expect(checkStore(folder, [file]).state).toBe(state as never);
  });

  test("of the folder above, through which the store could be replaced; the advice can be typed", () => {
    const { folder, file } = place(0o600);
    chmodSync(join(folder, ".."), 0o777);
    const { found, advice } = checkStore(folder, [file]);
    expect(found).toBe(`others may put another folder in the place of ${folder}`);
    expect(advice).toBe(`chmod go-w ${join(folder, "..")}`);
    chmodSync(join(folder, ".."), 0o1777);
    expect(checkStore(folder, [file]).state).toBe("ok");
    chmodSync(file, 0o666);
    expect(checkStore(folder, [file]).advice).toBe(`chmod go= '${file.replace("'", String.raw`'\''`)}'`);
  });

  test.each([
    [0o644, "ok", "todo"],
    [0o600, "ok", "ok"],
    [0o640, "ok", "ok"],
    [0o660, "todo", "todo"],
    [0o602, "todo", "todo"],
  ])("of a file with %o: as configuration %s, as key %s", (mode, asConfig, asKey) => {
    const { file } = place(mode);
    expect([checkConfigFile(file).state, checkKeyFile(file).state]).toEqual([asConfig, asKey] as never);
  });

  test("of a key file that is not there", () => expect(checkKeyFile("/nowhere/key").state).toBe("todo"));
});
