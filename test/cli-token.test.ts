/** Where the client finds its token. What it asks at a terminal is in cli-terminal.test.ts. */

import { afterAll, describe, expect, test } from "bun:test";
import { dirname } from "node:path";
import { RecordedServer } from "./cli/recorded-server.ts";
import { fileOf } from "./cli/spawn.ts";

const server = new RecordedServer();
afterAll(() => server[Symbol.dispose]());

describe("requests", () => {
  test("take the token from VAULT_TOKEN when COFFER_TOKEN is empty, and else from ~/.vault-token", async () => {
    await server.ask(["kv1: read"], ["kv", "get", "kv/a"], { env: { COFFER_TOKEN: "", VAULT_TOKEN: " other\n" } });
    expect(server.seen[0]?.headers.get("x-vault-token")).toBe("other");
    const HOME = dirname(fileOf(".vault-token", "stored\n"));
    await server.ask(["kv1: read"], ["kv", "get", "kv/a"], { env: { COFFER_TOKEN: "", HOME } });
    expect(server.seen[0]?.headers.get("x-vault-token")).toBe("stored");
    await server.ask(["kv1: read"], ["kv", "get", "kv/a"], { env: { COFFER_TOKEN: "" } });
    expect(server.seen[0]?.headers.has("x-vault-token")).toBe(false);
  });

  test("take the token from --token-file over every other place", async () => {
    const stored = ["kv", "get", "kv/a", "--token-file", fileOf("token", "from-file\n")];
    await server.ask(["kv1: read"], stored);
    expect(server.seen[0]?.headers.get("x-vault-token")).toBe("from-file");
    await server.ask(["kv1: read"], ["kv", "get", "-token-file=-", "kv/a"], { stdin: "piped\r\n" });
    expect(server.seen[0]?.headers.get("x-vault-token")).toBe("piped");
    const refused = await server.ask([{ status: 403, text: '{"errors":["permission denied"]}' }], stored);
    expect(refused.stderr).toEndWith("; give another by --token-file FILE, COFFER_TOKEN or ~/.vault-token\n");
  });

  test("are not sent when --token-file holds no token, and what was typed in its place is not repeated", async () => {
    const empty = await server.ask([], ["kv", "get", "kv/a", "--token-file", fileOf("token", " \n")]);
    expect(empty.stderr).toMatch(/^coffer: no token in \S+\ncoffer: hint: /);
    const two = await server.ask([], ["kv", "get", "kv/a", "--token-file", "-"], { stdin: "hunter2\nhunter3\n" });
    expect(two.stderr).toStartWith("coffer: the token of standard input holds characters that no token has\n");
    const typed = await server.ask([], ["kv", "get", "kv/a", "--token-file", "hunter2"]);
    expect(typed.stderr).toStartWith("coffer: cannot read the file of --token-file: no such file\n");
    for (const { code, stderr } of [empty, two, typed]) {
      expect(code).toBe(1);
      expect(stderr).not.toContain("hunter");
    }
  });

  test("that need no token do not take one from --token-file", async () => {
    for (const command of ["status", "operator init", "operator unseal", "operator generate-share status"]) {
      const { code, stderr } = await server.ask([], [...command.split(" "), "--token-file", "x"]);
      expect({ command, code }).toEqual({ command, code: 1 });
      expect(stderr).toStartWith("coffer: unknown option '--token-file'\n");
    }
  });
});
