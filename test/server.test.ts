/** The life of the real server: how it starts, what it refuses to start with, and how it stops. */
import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { coffer, fileOf } from "./cli/spawn.ts";
import { EXECUTABLE, newFolder, type Server, startServer } from "./executable.ts";

const executable = { program: [EXECUTABLE] };

async function encryptions(server: Server, token: string): Promise<number> {
  return Number((await server.call("GET", "sys/key-status", { token })).body["encryptions"]);
}

interface OpenRequest {
  /** Resolves when all but the last byte has left this process. */
  readonly begun: Promise<void>;
  /** Sends the last byte; what the server has answered by the end of the connection. */
  finish(): Promise<string>;
}

function openRequest(server: Server, path: string, token: string, body: string): OpenRequest {
  const socket = connect(server.port, "127.0.0.1");
  const answer = new Promise<string>((resolve) => {
    let text = "";
    socket.on("data", (bytes) => (text += String(bytes)));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
  const head = [`PUT /v1/${path} HTTP/1.1`, "Host: x", `X-Vault-Token: ${token}`, `Content-Length: ${body.length}`];
  const begun = new Promise<void>((resolve) => {
    socket.write(`${head.join("\r\n")}\r\n\r\n${body.slice(0, -1)}`, () => resolve());
  });
  return {
    begun,
    finish() {
      socket.write(body.slice(-1));
      return answer;
    },
  };
}

describe("a stop", () => {
  test.each([["SIGTERM"], ["SIGINT"]] as const)(
    "by %s answers every request that it has begun to read, gives its block back and closes the store",
    async (signal) => {
      const folder = join(newFolder(), "store");
      const args = ["--storage", `file:${folder}`];
      await using server = await startServer({ args });
      const { token, keys } = await server.initAndUnseal();
      await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
      const before = await encryptions(server, token);

      const begun = Array.from({ length: 30 }, (_, index) =>
        openRequest(server, `kv/begun${index}`, token, `{"n":${index}}`),
      );
      const written: string[] = [];
      const stopped = new AbortController();
      const load = Array.from({ length: 8 }, async (_, client) => {
        for (let index = 0; !stopped.signal.aborted; index += 1) {
          const path = `kv/load${client}-${index}`;
          const answer = await server.call("PUT", path, { token, body: { path } }).catch(() => undefined);
          if (answer === undefined) return;
          expect(answer.status).toBe(204);
          written.push(path);
        }
      });
      await Promise.all(begun.map((request) => request.begun));
      // What came before these on other connections has been read when they are answered.
      const enough = written.length + 100;
      await server.until(() => written.length >= enough);
      server.signal(signal);
      await server.until(() => server.log.some(({ msg }) => msg === "stopping"));
      const answers = await Promise.all(begun.map((request) => request.finish()));
      expect(await server.exited).toBe(0);
      stopped.abort();
      await Promise.all(load);
      for (const answer of answers) {
        expect(answer).toStartWith("HTTP/1.1 204");
        expect(answer.toLowerCase()).toContain("connection: close");
      }
      expect(written.length).toBeGreaterThan(0);
      expect(readdirSync(folder).toSorted()).toEqual(["coffer.db", "coffer.lock"]);
      expect(server.log.map((line) => line["msg"]).filter((text) => text !== "request")).toEqual([
        "opening the storage",
        "listening",
        "stopping",
        "stopped",
      ]);

      await using again = await startServer({ args });
      await again.unseal(keys);
      const listed = (await again.call("LIST", "kv", { token })).body["data"] as { keys: string[] };
      const names = written.map((path) => path.slice("kv/".length));
      expect(names.filter((name) => !listed.keys.includes(name))).toEqual([]);
      // Every entry was written once, and nothing else was encrypted: not one more is counted.
      expect(await encryptions(again, token)).toBe(before + listed.keys.length);
    },
  );

  test("lets a slow client read its answer to the end", async () => {
    await using server = await startServer({ args: ["--storage", "memory:"] });
    const { token } = await server.initAndUnseal();
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    // An answer of 6 MB is more than the buffers of the system hold.
    for (let index = 0; index < 600; index += 1) {
      await server.call("PUT", `kv/${index}${"x".repeat(10_000)}`, { token, body: { a: 1 } });
    }
    const socket = connect(server.port, "127.0.0.1");
    let text = "";
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(`GET /v1/kv?list=true HTTP/1.1\r\nHost: x\r\nX-Vault-Token: ${token}\r\n\r\n`);
    await new Promise<void>((resolve) => {
      socket.once("data", (bytes) => {
        socket.pause();
        text += String(bytes);
        resolve();
      });
    });
    server.signal("SIGTERM");
    await server.until(() => server.log.some(({ msg }) => msg === "stopping"));
    socket.on("data", (bytes) => (text += String(bytes)));
    socket.resume();
    await closed;
    expect(await server.exited).toBe(0);
    expect(text.length).toBeGreaterThan(6_000_000);
    expect(text).toEndWith(`"auth":null}\n`);
  });

  test("right after the start ends in order, too, and does not wait for connections that are kept open without use", async () => {
    await using server = await startServer({ args: ["--storage", "memory:"] });
    const idle = connect(server.port, "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    idle.on("error", () => undefined);
    expect(await server.stop()).toBe(0);
    idle.destroy();
    // Requests under way are waited for longer than this.
  }, 20_000);
});

describe("a start is refused", () => {
  test("on a store that another server has open", async () => {
    const args = ["--storage", `file:${newFolder()}/store`];
    await using server = await startServer({ args });
    const { code, stdout, stderr } = await coffer(["server", "--listen", "127.0.0.1:0", ...args], executable);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/the store in \S+ is in use\n.*hint: stop the server that has it open/);
    expect((await server.call("GET", "sys/seal-status")).status).toBe(200);
  });

  test.each([["0.0.0.0:0"], [":0"], ["[::]:0"], ["192.0.2.1:0"], ["example.com:0"]])(
    "on %s without TLS",
    async (address) => {
      const { code, stdout, stderr } = await coffer(["server", "--dev", "--listen", address], executable);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(
        /refusing to listen on .* without TLS.*\n.*hint: give it a certificate.*\n.*hint: or listen on 127\.0\.0\.1/,
      );
    },
  );

  test("on a Unix socket with a certificate, which no client would know of", async () => {
    const config = fileOf(
      "coffer.toml",
      'storage = "memory:"\n[listener]\naddress = "unix:///run/c.sock"\ntls_cert_file = "/c.pem"\ntls_key_file = "/k.pem"',
    );
    const { code, stderr } = await coffer(["server", "--config", config], executable);
    expect(code).toBe(1);
    expect(stderr).toMatch(/a Unix socket has no TLS.*\n.*hint: leave out tls_cert_file/);
  });

  test("on a port that is in use", async () => {
    await using server = await startServer({ args: ["--dev"] });
    const { code, stdout, stderr } = await coffer(
      ["server", "--dev", "--listen", `127.0.0.1:${server.port}`],
      executable,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE\n.*hint: is another server running there/);
  });

  test("without a store", async () => {
    const { code, stderr } = await coffer(["server", "--listen", "127.0.0.1:0"], executable);
    expect(code).toBe(1);
    expect(stderr).toMatch(/no storage was named\n.*hint: name one: --storage file:/);
  });

  test.each([
    ["BUN_OPTIONS", "--smol"],
    ["BUN_INSPECT", "127.0.0.1:0"],
    ["BUN_INSPECT_NOTIFY", "unix:///nowhere"],
    ["NODE_OPTIONS", "--max-old-space-size=100"],
  ])("with %s in the environment", async (name, value) => {
    const { code, stdout, stderr } = await coffer(["server", "--dev", "--listen", "127.0.0.1:0"], {
      ...executable,
      env: { [name]: value },
    });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`coffer: ${name} is set`);
    expect(stderr).toContain(`hint: unset it: env -u ${name} coffer`);
    expect(stderr).not.toContain(value);
  });

  test.skipIf(process.platform !== "linux").each([
    ["BUN_BE_BUN", "1"],
    ["BUN_OPTIONS", "--preload=./evil.ts"],
    ["BUN_INSPECT_PRELOAD", "./evil.ts"],
  ])("with %s in the environment, which does nothing", async (name, value) => {
    const cwd = newFolder();
    const trace = join(cwd, "trace");
    writeFileSync(join(cwd, "evil.ts"), `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "");`);
    const { exitCode, stdout, stderr } = Bun.spawnSync([EXECUTABLE, "version"], { env: { [name]: value }, cwd });
    expect([exitCode, stdout.toString()]).toEqual([1, ""]);
    expect(stderr.toString()).toContain(`coffer: ${name} is set`);
    expect(existsSync(trace)).toBe(false);
  });
});

describe("the surroundings", () => {
  test("of a bunfig.toml, a .env and a package.json in the working folder have no effect", async () => {
    const cwd = newFolder();
    const trace = join(cwd, "trace");
    writeFileSync(join(cwd, "evil.ts"), `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "");`);
    writeFileSync(join(cwd, "bunfig.toml"), `preload = ["./evil.ts"]\n[run]\nbun = true\n`);
    writeFileSync(join(cwd, ".env"), "VAULT_DEV_ROOT_TOKEN_ID=from-a-file\nBUN_OPTIONS=--preload=./evil.ts\n");
    writeFileSync(join(cwd, "package.json"), `{"type":"commonjs","imports":{"#x":"./evil.ts"}}`);
    writeFileSync(join(cwd, "tsconfig.json"), `{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}`);
    await using server = await startServer({ args: ["--dev"], cwd });
    expect(server.stdout).not.toContain("from-a-file");
    expect((await server.call("GET", "sys/health")).status).toBe(200);
    expect(existsSync(trace)).toBe(false);
  });

  test.each([
    ["an empty environment", {}],
    ["a PATH without node or bun", { PATH: "/nonexistent" }],
  ])("may be %s", async (_name, env) => {
    await using server = await startServer({ args: ["--storage", `file:${newFolder()}/store`], env });
    const { token } = await server.initAndUnseal();
    expect((await server.call("GET", "sys/key-status", { token })).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  test("files of the store are for their owner alone", async () => {
    const folder = join(newFolder(), "store");
    await using server = await startServer({ args: ["--storage", `file:${folder}`] });
    await server.initAndUnseal();
    const modes = execFileSync("stat", ["-c", "%a", folder, ...readdirSync(folder).map((name) => join(folder, name))]);
    expect(new Set(String(modes).trim().split("\n"))).toEqual(new Set(["700", "600"]));
  });
});

test("10,000 requests are answered though nobody reads the log", async () => {
  const fifo = join(newFolder(), "stderr");
  execFileSync("mkfifo", [fifo]);
  // Open for reading, too, and never read: the pipe holds 64 KiB.
  const descriptor = openSync(fifo, "r+");
  const child = Bun.spawn([EXECUTABLE, "server", "--dev", "--listen", "127.0.0.1:0"], {
    env: {},
    stdout: "pipe",
    stderr: descriptor,
  });
  let stdout = "";
  for await (const bytes of child.stdout) {
    stdout += new TextDecoder().decode(bytes);
    if (stdout.includes("Address: ")) break;
  }
  const url = /Address: (\S+)/.exec(stdout)?.[1] ?? "";
  let asked = 0;
  const client = async () => {
    while (asked < 10_000) {
      asked += 1;
      const response = await fetch(`${url}/v1/sys/health`);
      if (!response.ok) throw new Error(`answered ${response.status}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  expect(asked).toBeGreaterThanOrEqual(10_000);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
});
