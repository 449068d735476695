/** The templates in deploy/: the unit by systemd's own checks, the container by an equivalent root without an engine. */

import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EXECUTABLE, newFolder } from "./executable.ts";

const DEPLOY = join(import.meta.dir, "../deploy");
const UNIT = join(DEPLOY, "coffer.service");
/** systemd's figure for exposure, times ten: 0 is none, 100 all. */
const EXPOSURE = "15";
/** Of the container's user. */
const USER = 65532;

function run(...command: string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { env: { PATH: process.env["PATH"] ?? "" } });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

const canAnalyze = Bun.which("systemd-analyze") !== null;
const canUnshare = run("unshare", "--mount", "--pid", "--fork", "true").code === 0;
if (!canAnalyze) console.log("the systemd unit (skipped: there is no systemd-analyze)");
if (!canUnshare) console.log("the container's root (skipped: mounting needs root)");

test.skipIf((canAnalyze && canUnshare) || process.env["CI"] === undefined)("all of this runs where CI is set", () => {
  throw new Error("there is no systemd-analyze, or unshare failed");
});

describe.skipIf(!canAnalyze)("the systemd unit", () => {
  test("is without a mistake", () => {
    expect(run("systemd-analyze", "verify", UNIT)).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("leaves little exposed", () => {
    const { code, stdout } = run("systemd-analyze", "security", "--offline=true", `--threshold=${EXPOSURE}`, UNIT);
    expect({ code, ends: stdout.slice(-200) }).toEqual({ code: 0, ends: expect.stringContaining("Overall exposure") });
  });

  test("has its user", () => {
    const root = newFolder();
    const folder = join(root, "usr/lib/sysusers.d");
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(root, "etc"));
    copyFileSync(join(DEPLOY, "coffer.sysusers.conf"), join(folder, "coffer.conf"));
    expect(run("systemd-sysusers", `--root=${root}`, "coffer.conf").code).toBe(0);
    expect(readFileSync(join(root, "etc/passwd"), "utf8")).toStartWith("coffer:");
  });
});

interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** The instructions of a Dockerfile, without comments; a line that ends in a backslash goes on. */
function parseDockerfile(text: string): readonly Instruction[] {
  const lines = text.replaceAll(/^\s*#.*\n/gm, "").replaceAll(/\\\n/g, " ");
  return lines.split("\n").flatMap((line) => {
    if (line.trim() === "") return [];
    const [, name = "", value = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (!KNOWN.has(name)) throw new Error(`"${line}" is no instruction of a Dockerfile`);
    return [{ name, value }];
  });
}

const KNOWN = new Set("ARG CMD COPY ENTRYPOINT EXPOSE FROM HEALTHCHECK RUN USER VOLUME WORKDIR".split(" "));

const instructions = parseDockerfile(readFileSync(join(DEPLOY, "Dockerfile"), "utf8"));
const image = instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));

/** The last value of an instruction in the image that is delivered. */
function valueOf(name: string): string {
  return image.findLast((each) => each.name === name)?.value ?? "";
}

/** A command in the form that needs no shell. */
function commandOf(name: string): string[] {
  return JSON.parse(valueOf(name).replace(/^.*? CMD /, "")) as string[];
}

describe("the Dockerfile", () => {
  test("runs the executable as a user of its own, without a shell", () => {
    expect(valueOf("USER")).toBe(`${USER}:${USER}`);
    expect([...commandOf("ENTRYPOINT"), ...commandOf("CMD")]).toEqual([
      "/usr/local/bin/coffer",
      "server",
      "--config",
      "/etc/coffer/coffer.toml",
    ]);
    expect(commandOf("HEALTHCHECK")[0]).toBe("/usr/local/bin/coffer");
    expect(image.filter(({ name }) => name === "RUN")).toEqual([]);
  });

  test("copies what is there", () => {
    const copies = instructions.filter(({ name }) => name === "COPY").map(({ value }) => value.split(" "));
    const sources = copies.flatMap((words) => words.filter((word) => !word.startsWith("--")).slice(0, -1));
    const made = sources.filter((path) => path.startsWith("/src/"));
    for (const path of made)
      expect([path, existsSync(join(DEPLOY, "..", path.slice("/src/".length)))]).toEqual([path, true]);
    const listed = readFileSync(join(DEPLOY, "Dockerfile.dockerignore"), "utf8").matchAll(/^!(.+)$/gm);
    for (const [, path = ""] of listed) expect([path, existsSync(join(DEPLOY, "..", path))]).toEqual([path, true]);
  });
});

/** A root with the executable, the C library and a configuration: what the image has, and nothing else. */
function makeRoot(): { readonly path: string; readonly libraries: readonly string[] } {
  const path = newFolder();
  for (const folder of ["proc", "dev", "usr/local/bin", "etc/coffer", "var/lib/coffer"]) {
    mkdirSync(join(path, folder), { recursive: true });
  }
  const libraries = Array.from(run("ldd", EXECUTABLE).stdout.matchAll(/(\/\S+) \(0x/g), ([, file]) => String(file));
  for (const library of libraries) {
    mkdirSync(dirname(join(path, library)), { recursive: true });
    copyFileSync(library, join(path, library));
  }
  for (const file of ["dev/null", "dev/urandom", "usr/local/bin/coffer"]) writeFileSync(join(path, file), "");
  const config = readFileSync(join(DEPLOY, "coffer.toml"), "utf8").replace(":8200", ":0");
  writeFileSync(join(path, "etc/coffer/coffer.toml"), config);
  chownSync(join(path, "var/lib/coffer"), USER, USER);
  chmodSync(path, 0o755);
  return { path, libraries };
}

/** What an engine does for `--read-only --cap-drop=ALL --security-opt=no-new-privileges --ulimit core=0`. */
const ENTER = `
  set -e
  root=$1 executable=$2; shift 2
  mount --bind "$root" "$root"
  mount --bind "$executable" "$root/usr/local/bin/coffer"
  for node in null urandom; do mount --bind "/dev/$node" "$root/dev/$node"; done
  mount --bind "$root/var/lib/coffer" "$root/var/lib/coffer"
  mount -t proc proc "$root/proc"
  mount -o remount,bind,ro "$root"
  ulimit -c 0
  exec setpriv --no-new-privs chroot --userspec=${USER}:${USER} --groups= "$root" "$@"
`;

function enter(root: string, command: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];
  return Bun.spawn([...namespaces, "sh", "-c", ENTER, "sh", root, EXECUTABLE, ...command], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

describe.skipIf(!canUnshare)("in a read-only root without a shell", () => {
  const root = makeRoot();

  test("the executable needs the C library alone", () => {
    for (const library of root.libraries) expect(basename(library)).toMatch(/^(ld-linux|lib(c|m|dl|pthread)\.so)/);
  });

  test("the server runs, keeps its store, and is healthy though it is sealed, and stops", async () => {
    const server = enter(root.path, [...commandOf("ENTRYPOINT"), ...commandOf("CMD")]);
    try {
      let said = "";
      for await (const bytes of server.stdout) {
        said += new TextDecoder().decode(bytes);
        if (said.includes("\n")) break;
      }
      const address = /http:\S+/.exec(said)?.[0] ?? "";
      const health = enter(root.path, commandOf("HEALTHCHECK"), { COFFER_ADDR: address });
      expect(await health.stdout.text()).toContain("Sealed             true\n");
      expect(await health.exited).toBe(0);
      expect(existsSync(join(root.path, "var/lib/coffer/coffer.db"))).toBe(true);
      // As in a container it is process 1, which only a signal that it handles stops.
      const first = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8");
      process.kill(Number(first), "SIGTERM");
      expect(await server.exited).toBe(0);
    } finally {
      server.kill("SIGKILL");
    }
  });

  test("the health check fails when no server answers", async () => {
    const health = enter(root.path, commandOf("HEALTHCHECK"), { COFFER_ADDR: "http://127.0.0.1:1" });
    expect(await health.exited).toBe(1);
  });

  test("nothing can be written but the store", async () => {
    const refused = enter(root.path, [...commandOf("ENTRYPOINT"), "server", "--storage", "file:/elsewhere"]);
    const said = await refused.stderr.text();
    expect(await refused.exited).toBe(1);
    expect(said).toContain("EROFS");
  });
});
