/** The executable with an audit file: a disk that is full, a log that is rotated, a busy run, what it does not start with. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditLine } from "./audit-device.ts";
import { mountDisk, skipDisks } from "./disk.ts";
import { newFolder, startServer } from "./executable.ts";
import { pgpKey } from "./pgp-keys.ts";

/** Starts a server in memory with these audit options, initialised and with an engine at `kv/`. */
async function startAudited(file: string, storage = "memory:") {
  const config = join(newFolder(), "coffer.toml");
  const audit = `[[audit]]\ntype = "file"\noptions = { file_path = "${file}" }`;
  writeFileSync(config, `storage = "${storage}"\n${audit}\n`);
  const server = await startServer({ args: ["--config", config] });
  const { token, keys } = await server.initAndUnseal();
  await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
  return { server, token, keys };
}

function linesOf(text: string): AuditLine[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditLine);
}

describe.skipIf(skipDisks !== "")(`an audit disk${skipDisks}`, () => {
  test("that is full refuses everything but what passes audit by, and records again when there is room", async () => {
    using disk = mountDisk("1m");
    const folder = disk?.path ?? "";
    const file = join(folder, "audit.log");
    const { server, token } = await startAudited(file);
    await using _ = server;
    const put = (path: string, value: string) => server.call("PUT", `kv/${path}`, { token, body: { value } });
    expect((await put("before", "v")).status).toBe(204);
    const filler = join(folder, "filler");
    // As much as there is room for, to the last byte.
    Bun.spawnSync(["dd", "if=/dev/zero", `of=${filler}`, "bs=512"], { stderr: "ignore" });
    let answer = await put("during", "v");
    for (let index = 0; answer.status === 204 && index < 20; index += 1) answer = await put("during", "v");
    expect([answer.status, answer.text]).toEqual([500, '{"errors":["internal error"]}\n']);
    expect((await put("refused", "v")).status).toBe(500);
    for (const path of ["sys/health", "sys/seal-status", "sys/leader", "sys/init"])
      expect((await server.call("GET", path)).status).toBe(200);
    await server.until(() => server.stderr.includes("ENOSPC"));
    rmSync(filler);
    expect((await put("after", "v")).status).toBe(204);
    expect((await server.call("GET", "kv/refused", { token })).status).toBe(404);
    await server.until(() => server.stderr.includes("the audit device works again"));
    // A line that was cut off by the disk's end stands alone; every other one can be read.
    const whole = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"));
    expect(linesOf(`${whole.join("\n")}\n`).at(-1)?.request.path).toBe("kv/refused");
  });
});

test("a file that is renamed under load and reopened by SIGHUP loses no line", async () => {
  const file = join(newFolder(), "audit.log");
  const { server, token } = await startAudited(file);
  await using _ = server;
  const ids: string[] = [];
  const load = { isOn: true };
  const client = async () => {
    while (load.isOn) {
      const { status, body } = await server.call("GET", "sys/key-status", { token });
      expect(status).toBe(200);
      ids.push(body["request_id"] as string);
    }
  };
  const clients = Array.from({ length: 8 }, client);
  const parts: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    const part = `${file}.${index}`;
    const from = ids.length;
    renameSync(file, part);
    parts.push(part);
    server.signal("SIGHUP");
    while (!existsSync(file) || ids.length < from + 50) await new Promise((resolve) => setImmediate(resolve));
  }
  load.isOn = false;
  await Promise.all(clients);
  const all = [...parts, file].map((part) => linesOf(readFileSync(part, "utf8")));
  for (const lines of all) expect(lines.length).toBeGreaterThan(0);
  const written = all.flat().filter(({ request }) => request.path === "sys/key-status");
  for (const type of ["request", "response"]) {
    const found = written.filter((line) => line.type === type).map(({ request }) => request.id);
    expect(found).toHaveLength(ids.length);
    expect(new Set(found)).toEqual(new Set(ids));
  }
  expect(await server.stop()).toBe(0);
});

test("after a busy run neither audit file nor log, store or metrics holds a secret, a token or a share", async () => {
  const folder = newFolder();
  const file = join(folder, "audit.log");
  const { server, token, keys } = await startAudited(file, `file:${join(folder, "store")}`);
  await using _ = server;
  const secrets = new Set([token, ...keys, ...keys.map((key) => Buffer.from(key, "hex").toString("base64"))]);
  const secret = (text: string) => {
    secrets.add(text);
    return text;
  };
  await Promise.all(
    Array.from({ length: 100 }, async (_none, index) => {
      const made = await server.call("POST", "auth/token/create", {
        token,
        body: { id: secret(`chosen-token-${index}`) },
      });
      const { client_token: child } = made.body["auth"] as { client_token: string };
      const value = { password: secret(`password-${index}-☠`), deep: [{ er: secret(`deeper-${index}`) }] };
      await server.call("PUT", `kv/${index}`, { token: child, body: value });
      await server.call("GET", `kv/${index}`, { token: child });
      // Not so many that the address is refused.
      if (index % 4 === 0)
        await server.call("PUT", `kv/${index}`, { token: secret(`unknown-token-${index}`), body: value });
      await server.call("PUT", "sys/rotate/config", { token, body: { interval: secret(`interval-${index}`) } });
      if (index % 4 === 1) await server.call("PUT", "sys/unseal", { body: { key: secret(`no-share-${index}`) } });
      await server.call("POST", "auth/token/revoke-self", { token: child });
    }),
  );
  const { armored } = await pgpKey("curve25519");
  await server.call("PUT", "sys/generate-share/attempt", { token, body: { pgp_key: armored } });
  for (const key of keys.slice(0, 2)) {
    const { body } = await server.call("PUT", "sys/generate-share/update", { body: { key } });
    if (body["complete"] === true) secret(body["key"] as string);
  }
  await server.call("PUT", "sys/seal", { token });
  await server.unseal(keys.map((key) => key.toUpperCase()));
  for (const key of keys) secret(key.toUpperCase());
  expect((await server.call("GET", "auth/token/lookup-self", { token })).status).toBe(200);
  const metrics = (await server.call("GET", "sys/metrics?format=prometheus", { token })).text;
  expect(metrics).toContain("coffer_unsealed 1");
  expect(await server.stop()).toBe(0);

  const store = readFileSync(join(folder, "store", "coffer.db"), "latin1");
  expect(store).toContain("core/keyring");
  const audit = readFileSync(file, "utf8");
  const lines = linesOf(audit);
  expect(lines.filter(({ type }) => type === "request").length).toBe(lines.length / 2);
  expect(lines.length).toBeGreaterThan(1100);
  for (const one of secrets) {
    expect(audit.includes(one)).toBe(false);
    expect(server.stderr.includes(one)).toBe(false);
    expect(metrics.includes(one)).toBe(false);
    expect(store.includes(Buffer.from(one).toString("latin1"))).toBe(false);
  }
});

test("lines go to standard output where that is named", async () => {
  const { server } = await startAudited("stdout");
  await using _ = server;
  const lines = server.stdout.split("\n").filter((line) => line.startsWith("{"));
  expect(linesOf(`${lines.join("\n")}\n`).map(({ request }) => request.path)).toContain("sys/mounts/kv");
});

test("SIGHUP without anything to reopen changes nothing", async () => {
  await using server = await startServer({ args: ["--storage", "memory:"] });
  server.signal("SIGHUP");
  await server.until(() => server.stderr.includes("reloaded"));
  expect((await server.call("GET", "sys/seal-status")).status).toBe(200);
});

test("one SIGHUP right after another leaves a server that goes on", async () => {
  const file = join(newFolder(), "audit.log");
  const { server } = await startAudited(file);
  await using _ = server;
  for (let pair = 0; pair < 5; pair += 1) {
    const before = server.log.length;
    for (let signal = 0; signal < 3; signal += 1) server.signal("SIGHUP");
    await server.until(() => server.log.slice(before).some(({ msg }) => msg === "reloaded"));
  }
  expect(existsSync(file)).toBe(true);
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
});

test("a reload that one file did not take part in is not told as one", async () => {
  const file = join(newFolder(), "audit.log");
  const { server } = await startAudited(file);
  await using _ = server;
  renameSync(file, `${file}.1`);
  symlinkSync(`${file}.1`, file);
  server.signal("SIGHUP");
  await server.until(() => server.log.some(({ msg }) => msg === "an audit device could not be reopened"));
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(server.log.map(({ msg }) => msg)).not.toContain("reloaded");
});

test.each([
  ["a file that cannot be opened", 'file_path = "/dev/null/hunter2"', "audit device file/: sanity check failed"],
  ["a prefix that is not allowed", 'file_path = "discard", prefix = "hunter2"', "audit log prefixing is not allowed"],
  ["an unknown format", 'file_path = "discard", format = "hunter2"', "unknown format type"],
])("does not start with %s", async (_, options, text) => {
  const config = join(newFolder(), "coffer.toml");
  writeFileSync(config, `storage = "memory:"\n[[audit]]\ntype = "file"\noptions = { ${options} }\n`);
  let message = "";
  try {
    await using _server = await startServer({ args: ["--config", config] });
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain(text);
  expect(message).not.toContain("hunter2");
});
