/** The Unix socket of the executable: who may use it, and what is left of it. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SocketFile } from "../../cli/socket-file.ts";
import { coffer } from "../cli/spawn.ts";
import { EXECUTABLE, newFolder, startServer } from "../executable.ts";

function start(path: string, mode?: string) {
  const config = join(newFolder(), "coffer.toml");
  writeFileSync(config, mode === undefined ? "" : `[listener]\nsocket_mode = "${mode}"\n`);
  return startServer({ args: ["--config", config, "--storage", "memory:"], listen: `unix://${path}` });
}

test.each([
  [undefined, 0o600],
  ["0660", 0o660],
  ["666", 0o666],
])("has the mode %s", async (mode, expected) => {
  const path = join(newFolder(), "coffer.sock");
  await using server = await start(path, mode);
  expect(statSync(path).mode & 0o777).toBe(expected);
  expect((await server.call("GET", "sys/seal-status")).status).toBe(200);
  await server.stop();
  expect(existsSync(path)).toBe(false);
});

test("that a killed server has left is taken", async () => {
  const path = join(newFolder(), "coffer.sock");
  await using killed = await start(path);
  await killed.kill();
  expect(existsSync(path)).toBe(true);
  await using server = await start(path);
  expect((await server.call("GET", "sys/seal-status")).status).toBe(200);
});

test("that a server answers on is not", async () => {
  const path = join(newFolder(), "coffer.sock");
  await using server = await start(path);
  const args = ["server", "--storage", "memory:", "--listen", `unix://${path}`];
  const { code, stderr } = await coffer(args, { program: [EXECUTABLE] });
  expect(code).toBe(1);
  expect(stderr).toContain(`cannot listen on ${path}: EADDRINUSE`);
  expect((await server.call("GET", "sys/seal-status")).status).toBe(200);
});

test("is not made in the place of a file", async () => {
  const path = join(newFolder(), "coffer.sock");
  writeFileSync(path, "mine");
  const args = ["server", "--storage", "memory:", "--listen", `unix://${path}`];
  const { code, stderr } = await coffer(args, { program: [EXECUTABLE] });
  expect(code).toBe(1);
  expect(stderr).toContain(`cannot listen on ${path}: EADDRINUSE`);
  expect(readFileSync(path, "utf8")).toBe("mine");
});

test("that has become another one's is left to it by a stop", async () => {
  const path = join(newFolder(), "coffer.sock");
  await using server = await start(path);
  rmSync(path);
  await using successor = await start(path);
  await server.stop();
  expect((await successor.call("GET", "sys/seal-status")).status).toBe(200);
  await successor.stop();
  expect(existsSync(path)).toBe(false);
});

test.each([
  ["file", (path: string, other: string) => writeFileSync(path, other)],
  ["link to a file", (path: string, other: string) => symlinkSync(other, path)],
])("a %s in its place is not made open", (_, replace) => {
  const folder = newFolder();
  const path = join(folder, "coffer.sock");
  const other = join(folder, "key.pem");
  writeFileSync(other, "mine", { mode: 0o600 });
  replace(path, other);
  const before = statSync(path).mode;
  expect(() => new SocketFile(path, 0o666)).toThrow("was replaced while it was made");
  expect(statSync(path).mode).toBe(before);
});

test("serves the command line", async () => {
  const path = join(newFolder(), "coffer.sock");
  await using server = await start(path);
  await server.initAndUnseal();
  const { code, stdout } = await coffer(["status", `-address=unix://${path}`]);
  expect({ code, isUnsealed: /Sealed\s+false/.test(stdout) }).toEqual({ code: 0, isUnsealed: true });
});
