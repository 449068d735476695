/** Clients that others have written: each does the same things with secrets, on connections that are kept. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, type Server, startServer } from "../executable.ts";

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly token: string;
}

interface Got {
  readonly status: number;
  readonly body: string;
}

type Client = (port: number, requests: readonly Ask[]) => Promise<Got[]>;

const folder = join(import.meta.dir, "clients");

/** A program that reads the requests from its standard input. */
function program(command: (port: string) => readonly string[]): Client {
  return async (port, requests) => {
    const child = Bun.spawn([...command(String(port))], {
      stdin: new Blob([requests.map((request) => `${JSON.stringify(request)}\n`).join("")]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect({ code: await child.exited, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Got);
  };
}

/** All requests in one run, so on one connection. */
const curl: Client = async (port, requests) => {
  const config = join(newFolder(), "requests");
  const parts = requests.map(({ method, path, body = "", token }, index) => {
    writeFileSync(`${config}-${index}`, body);
    const data = body === "" ? [] : [`data-binary = "@${config}-${index}"`];
    const options = [`url = "http://127.0.0.1:${port}${path}"`, `request = "${method}"`, ...data];
    const form = "\u001e%{http_code} %{num_connects}\u001f";
    return [...options, `header = "X-Vault-Token: ${token}"`, `write-out = "${form}"`, "silent"].join("\n");
  });
  writeFileSync(config, parts.join("\nnext\n"));
  const text = await Bun.spawn(["curl", "-K", config], { stdout: "pipe" }).stdout.text();
  const answers = text.split("\u001f").slice(0, -1);
  return answers.map((answer, index) => {
    const [body = "", status = ""] = answer.split("\u001e");
    if (index > 0) expect(status).toEndWith(" 0");
    return { status: Number.parseInt(status, 10), body };
  });
};

const clients: readonly (readonly [name: string, command: string, client: Client])[] = [
  ["curl", "curl", curl],
  ["fetch of Node", "node", program((port) => ["node", join(folder, "client.mjs"), "fetch", port])],
  ["http of Node", "node", program((port) => ["node", join(folder, "client.mjs"), "http", port])],
  ["http.client of Python", "python3", program((port) => ["python3", join(folder, "client.py"), "http.client", port])],
  ["urllib of Python", "python3", program((port) => ["python3", join(folder, "client.py"), "urllib", port])],
  ["net/http of Go", "go", program((port) => ["go", "run", join(folder, "client.go"), port])],
];

let server: Server;
let root = "";
beforeAll(async () => {
  server = await startServer({ args: ["--storage", "memory:"] });
  root = (await server.initAndUnseal()).token;
  await server.call("POST", "sys/mounts/kv", { token: root, body: { type: "kv" } });
});
afterAll(() => server[Symbol.asyncDispose]());

for (const [index, [name, command, client]] of clients.entries()) {
  // Go is too large to be brought along: where tests must be complete it has to be there.
  const lacks = Bun.which(command) === null && process.env["CI"] !== "true";
  describe.skipIf(lacks)(lacks ? `${name} (there is no ${command})` : name, () => {
    test("puts, gets, lists, deletes and is refused", async () => {
      const at = `/v1/kv/client${index}`;
      // Sealed, almost as large as a store takes: 1 MiB.
      const large = JSON.stringify({ large: "x".repeat(1024 * 1024 - 100) });
      const ask = (method: string, path: string, body?: string, token = root): Ask =>
        body === undefined ? { method, path, token } : { method, path, body, token };
      const answers = await client(server.port, [
        ask("PUT", `${at}/a`, '{"a":"b"}'),
        ask("GET", `${at}/a`),
        ask("LIST", at),
        ask("GET", `${at}?list=true`),
        ask("PUT", `${at}/large`, large),
        ask("GET", `${at}/large`),
        ask("GET", `${at}/a`, undefined, "wrong"),
        ask("DELETE", `${at}/a`),
        ask("GET", `${at}/a`),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([204, 200, 200, 200, 204, 200, 403, 204, 404]);
      const data = (which: number) => (JSON.parse(answers[which]?.body ?? "") as { data: unknown }).data;
      expect([data(1), data(2), data(3)]).toEqual([{ a: "b" }, { keys: ["a"] }, { keys: ["a"] }]);
      expect(JSON.stringify(data(5)) === large).toBe(true);
      expect(answers[6]?.body).toContain("permission denied");
    });
  });
}
