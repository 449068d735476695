/**
 * `npm test`: brings the tools that the tests need, builds the executable, runs the tests, and ends with one line
 * `N passed, N failed`. What is given after `--` goes to the test runner: file names, `-t PATTERN`.
 */
import { spawn, spawnSync } from "node:child_process";

/** Commands that tests run, and the Debian package that has each. */
const TOOLS: Readonly<Record<string, string>> = {
  curl: "curl",
  tar: "tar",
  mount: "mount",
  gpg: "gnupg",
  script: "bsdutils",
  openssl: "openssl",
  unshare: "util-linux",
  "systemd-analyze": "systemd",
  strace: "strace",
  python3: "python3",
};

/** For tests that say nothing else; properties and real processes take their time on a busy machine. */
const TIMEOUT_MS = "60000";

const bun = process.execPath;

bringTools();
run(bun, ["run", "--silent", "build"]);
process.exit(await test(process.argv.slice(2)));

/** Installs what is missing where that is possible; elsewhere says what is missing, which under CI is a failure. */
function bringTools(): void {
  const missing = Object.keys(TOOLS).filter((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0);
  if (missing.length === 0) return;
  const packages = missing.map((tool) => TOOLS[tool] ?? tool);
  if (process.getuid?.() === 0 && spawnSync("sh", ["-c", "command -v apt-get"]).status === 0) {
    run("apt-get", ["update", "-qq"]);
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages]);
    return;
  }
  console.error(
    `tests need ${missing.join(", ")}: install ${packages.join(", ")} (apt-get install ${packages.join(" ")})`,
  );
  if (process.env["CI"] === "true") process.exit(1);
}

function run(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) {
    console.error(`${command} ${args.join(" ")} failed`);
    process.exit(status ?? 1);
  }
}

/** Runs the tests, shows their output as it comes, and returns the exit code. */
async function test(args: readonly string[]): Promise<number> {
  const runner = spawn(bun, ["test", "--timeout", TIMEOUT_MS, ...args], { stdio: ["ignore", "inherit", "pipe"] });
  let output = "";
  for await (const chunk of runner.stderr) {
    const text = String(chunk);
    process.stderr.write(text);
    // The summary stands at the end.
    output = (output + text).slice(-10_000);
  }
  const code = await new Promise<number>((resolve) => runner.once("close", (status) => resolve(status ?? 1)));
  const count = (what: string) => Number(new RegExp(`^\\s*(\\d+) ${what}$`, "m").exec(output)?.[1] ?? 0);
  console.log(`${count("pass")} passed, ${count("fail")} failed`);
  return code === 0 && count("pass") === 0 ? 1 : code;
}
