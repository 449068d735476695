/** `coffer operator doctor` as a command: on a real store, with and without the server that has it open. */
import { expect, test } from "bun:test";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Check } from "../cli/doctor/check.ts";
import { coffer, fileOf } from "./cli/spawn.ts";
import { EXECUTABLE, newFolder, startServer } from "./executable.ts";

const executable = { program: [EXECUTABLE] };

async function examine(args: readonly string[], address = "http://127.0.0.1:1") {
  const { code, stdout } = await coffer(
    ["operator", "doctor", "-format=json", `-address=${address}`, ...args],
    executable,
  );
  const { checks } = JSON.parse(stdout) as { readonly checks: readonly Check[] };
  return { code, checks, find: (name: string) => checks.find((check) => check.name === name) };
}

test("on a store that a server has open, it looks at that server and leaves both as they were", async () => {
  const folder = join(newFolder(), "store");
  await using server = await startServer({
    args: ["--storage", `file:${folder}`],
    env: { PATH: process.env["PATH"] ?? "", VAULT_TOKEN: "hunter2" },
  });
  const { token } = await server.initAndUnseal();
  const before = readdirSync(folder);
  const { code, checks, find } = await examine(["--storage", `file:${folder}`], server.url);
  expect(readdirSync(folder)).toEqual(before);
  expect(find("environment")).toMatchObject({ state: "todo", found: `the server (pid ${server.pid}) has VAULT_TOKEN` });
  expect(find("listener")).toMatchObject({ state: "ok", found: `127.0.0.1:${server.port}: this machine only` });
  expect(find("store permissions")?.state).toBe("ok");
  expect(find("server")).toMatchObject({ state: "ok", found: expect.stringContaining("unsealed") });
  expect(find("server clock")?.state).toBe("ok");
  expect(JSON.stringify(checks)).not.toContain("hunter2");
  expect(code).toBe(2);
  expect((await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } })).status).toBe(204);
});

test("without a server it looks at the configuration, the store that it names and its keys", async () => {
  const folder = join(newFolder(), "store");
  await (await startServer({ args: ["--storage", `file:${folder}`] })).stop();
  const config = fileOf("coffer.toml", `storage = "file:${folder}"\n[listener]\naddress = "0.0.0.0:8200"\n`);
  chmodSync(config, 0o644);
  const first = await examine(["--config", config]);
  expect(first.find("configuration")?.state).toBe("ok");
  expect(first.find("configuration permissions")?.state).toBe("ok");
  expect(first.find("store permissions")?.state).toBe("ok");
  expect(first.find("listener")?.state).toBe("todo");
  expect(first.find("server")).toMatchObject({ state: "unknown", found: expect.stringContaining("cannot connect") });
  expect(first.code).toBe(2);

  chmodSync(config, 0o666);
  chmodSync(join(folder, "coffer.db"), 0o644);
  const second = await examine(["--config", config]);
  expect(second.find("configuration permissions")?.advice).toBe(`chmod go-w ${config}`);
  expect(second.find("store permissions")?.advice).toBe(`chmod go= ${join(folder, "coffer.db")}`);

  const key = fileOf("server.key", "");
  chmodSync(key, 0o644);
  writeFileSync(config, `[listener]\naddress = ":8200"\ntls_cert_file = "${key}"\ntls_key_file = "${key}"\n`);
  const tls = await examine(["--config", config, "--storage", `file:${folder}`]);
  expect(tls.find("key file")).toMatchObject({ state: "todo", advice: `chmod g-w,o= ${key}` });
  expect(tls.find("listener")).toMatchObject({ state: "ok", found: ":8200: over TLS" });

  writeFileSync(config, "storge = 1");
  const third = await examine(["--config", config]);
  expect(third.find("configuration")).toMatchObject({ state: "todo", found: `${config}: storge is not a known key` });
});
