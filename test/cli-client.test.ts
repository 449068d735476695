/**
 * The client's requests, output and exit codes, as a process of its own. The server here only repeats answers that were
 * recorded from a real one; what a real server does is in the transcripts.
 */

import { afterAll, describe, expect, test } from "bun:test";
import recorded from "./cli/recorded-answers.json";
import { RecordedServer } from "./cli/recorded-server.ts";
import { coffer, fileOf } from "./cli/spawn.ts";

const server = new RecordedServer();
afterAll(() => server[Symbol.dispose]());

describe("requests", () => {
  test("carry the token and the header that marks a client", async () => {
    await server.ask(["kv1: read"], ["kv", "get", "kv/a"]);
    expect(server.seen[0]).toMatchObject({ method: "GET", path: "/v1/kv/a" });
    expect(server.seen[0]?.headers.get("x-vault-token")).toBe("the-token");
    expect(server.seen[0]?.headers.get("x-vault-request")).toBe("true");
  });

  test("go where the flag says, over COFFER_ADDR, over VAULT_ADDR", async () => {
    const env = { COFFER_ADDR: "http://127.0.0.1:1", VAULT_ADDR: "http://127.0.0.1:1" };
    expect((await server.ask(["kv1: read"], ["kv", "get", `-address=${server.address}`, "kv/a"], { env })).code).toBe(
      0,
    );
    expect(
      (await server.ask(["kv1: read"], ["kv", "get", "kv/a"], { env: { VAULT_ADDR: "http://127.0.0.1:1" } })).code,
    ).toBe(0);
    const vault = { COFFER_ADDR: "", VAULT_ADDR: `${server.address}/` };
    expect((await server.ask(["kv1: read"], ["kv", "get", "kv/a"], { env: vault })).code).toBe(0);
  });

  test("to this machine never pass through a proxy", async () => {
    const env = { http_proxy: "http://127.0.0.1:1", HTTP_PROXY: "http://127.0.0.1:1" };
    expect((await server.ask(["kv1: read"], ["kv", "get", "kv/a"], { env })).code).toBe(0);
  });

  test("are not printed, whatever the runtime is told", async () => {
    const { stdout, stderr } = await server.ask(["kv1: read"], ["kv", "get", "kv/a"], {
      env: { BUN_CONFIG_VERBOSE_FETCH: "curl" },
    });
    expect(stdout + stderr).not.toContain("the-token");
  });

  test("do not follow a redirect, which would hand the token to another host", async () => {
    using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ data: { k: "v" } }) });
    using first = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.redirect(other.url.href, 307) });
    const { code, stdout, stderr } = await coffer(["kv", "get", "kv/a"], { env: { COFFER_ADDR: first.url.origin } });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toEndWith(`answered 307\ncoffer: hint: ask the server that it names instead: ${other.url.href}\n`);
  });

  test("encode each segment of the path, and refuse dot segments", async () => {
    await server.ask(["kv1: read"], ["kv", "get", "kv/ä b?c#d%2e"]);
    expect(server.seen[0]?.path).toBe("/v1/kv/%C3%A4%20b%3Fc%23d%252e");
    const refused = await server.ask([], ["kv", "get", "kv/../sys/mounts"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("status", () => {
  test("of a sealed server is printed and exits with 2", async () => {
    const { stdout, code } = await server.ask(
      ["init-unseal: seal status sealed", "init-unseal: leader sealed"],
      ["status"],
    );
    expect(code).toBe(2);
    expect(stdout).toBe(
      [
        "Key                Value",
        "---                -----",
        "Seal Type          shamir",
        "Initialized        true",
        "Sealed             true",
        "Total Shares       3",
        "Threshold          2",
        "Unseal Progress    0/2",
        "Unseal Nonce       n/a",
        "Version            2.0.0-HEAD",
        "Storage Type       file",
        "HA Enabled         false",
        "",
      ].join("\n"),
    );
  });

  test("of an unsealed node of a cluster exits with 0", async () => {
    const to = ["raft-single-node: seal-status", "raft-single-node: leader"] as const;
    const { stdout, code } = await server.ask(to, ["status"]);
    expect(code).toBe(0);
    expect(stdout).toContain(
      "HA Enabled              true\nHA Cluster              https://127.0.0.1:8403\nHA Mode                 active\n",
    );
    const json = await server.ask(to, ["status", "-format=json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      ...recorded["raft-single-node: seal-status"].body,
      ...recorded["raft-single-node: leader"].body,
    });
  });

  test("of a sealed node of a cluster, which does not tell the leader", async () => {
    const { stdout, code } = await server.ask(
      ["init-unseal: seal status sealed", "raft-single-node: sealed leader"],
      ["status"],
    );
    expect(code).toBe(2);
    expect(stdout).toContain("HA Enabled         true\n");
  });

  test("exits with 1 on any failure, for 2 means sealed", async () => {
    expect((await server.ask([{ status: 500, text: '{"errors":["internal error"]}' }], ["status"])).code).toBe(1);
    expect((await server.ask([{ status: 200, text: "<html>" }], ["status"])).code).toBe(1);
    const { code, stderr } = await server.ask([], ["status", "-address=http://127.0.0.1:1"]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "coffer: error checking seal status: cannot connect to http://127.0.0.1:1\n" +
        "coffer: hint: is the server running? start one with `coffer server --dev`, or set COFFER_ADDR\n",
    );
  });
});

describe("operator", () => {
  test("init prints shares and token once, and the advice", async () => {
    const { stdout, code } = await server.ask(
      ["seal-status-health: init"],
      ["operator", "init", "-key-shares=2", "-key-threshold=2"],
    );
    expect(code).toBe(0);
    expect(server.seen[0]).toMatchObject({
      method: "PUT",
      path: "/v1/sys/init",
      body: '{"secret_shares":2,"secret_threshold":2}',
    });
    const [one, two] = recorded["seal-status-health: init"].body.keys_base64;
    expect(stdout).toStartWith(`Unseal Key 1: ${one}\nUnseal Key 2: ${two}\n\nInitial Root Token: $ROOT\n\n`);
    expect(stdout).toContain("split into 2 shares, of which any 2");
  });

  test("init shows what a hostile server puts into shares and token as escapes", async () => {
    const hostile = "a\u001b[2J\u009b1mb\r\u202e";
    const shares = { keys: [hostile], keys_base64: [hostile] };
    const recovery = { recovery_keys: [hostile], recovery_keys_base64: [hostile] };
    const text = JSON.stringify({ ...shares, ...recovery, root_token: `${hostile}\n` });
    const shown = "a\\x1b[2J\\x9b1mb\\x0d\\u202e";
    const { stdout } = await server.ask([{ status: 200, text }], ["operator", "init"]);
    expect(stdout).toStartWith(
      `Unseal Key 1: ${shown}\nRecovery Key 1: ${shown}\n\nInitial Root Token: ${shown}\\n\n\n`,
    );
    const json = await server.ask([{ status: 200, text }], ["operator", "init", "-format=json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ unseal_keys_b64: [hostile], root_token: `${hostile}\n` });
    for (const output of [stdout, json.stdout]) expect(output).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
  });

  test("init -format=json has vault's keys", async () => {
    const { stdout } = await server.ask(["seal-status-health: init"], ["operator", "init", "-format=json"]);
    expect(server.seen[0]?.body).toBe('{"secret_shares":5,"secret_threshold":3}');
    const { keys, keys_base64, root_token } = recorded["seal-status-health: init"].body;
    expect(JSON.parse(stdout)).toEqual({
      unseal_keys_b64: keys_base64,
      unseal_keys_hex: keys,
      unseal_shares: 5,
      unseal_threshold: 3,
      recovery_keys_b64: [],
      recovery_keys_hex: [],
      recovery_keys_shares: 0,
      recovery_keys_threshold: 0,
      root_token,
    });
  });

  test("init -status exits with 2 when the server is not initialised, and 1 when it cannot tell", async () => {
    const fresh = await server.ask(["init-unseal: init status before"], ["operator", "init", "-status"]);
    expect(fresh).toMatchObject({ code: 2, stdout: "Vault is not initialized\n" });
    const done = await server.ask([{ status: 200, text: '{"initialized":true}' }], ["operator", "init", "-status"]);
    expect(done).toMatchObject({ code: 0, stdout: "Vault is initialized\n" });
    expect((await server.ask([{ status: 503, text: "" }], ["operator", "init", "-status"])).code).toBe(1);
  });

  test("init of a server that has been initialised says what to do", async () => {
    const { code, stderr } = await server.ask(["init-unseal: init again"], ["operator", "init"]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `coffer: error initializing: PUT ${server.address}/v1/sys/init answered 400\n* Vault is already initialized\n` +
        "coffer: hint: see its state with `coffer status`; unseal it with `coffer operator unseal`\n",
    );
  });

  const SHARE = "cwIq60cJzuZ8okKaZBlG8ifhXzjwHAJDWWEWkZWm4upA";

  test("unseal takes a share from standard input and from a file, and prints the status", async () => {
    const to = ["init-unseal: unseal first share", "init-unseal: leader sealed"] as const;
    const { stdout, code } = await server.ask(to, ["operator", "unseal"], { stdin: `${SHARE}\n` });
    expect(code).toBe(0);
    expect(server.seen[0]).toMatchObject({
      method: "PUT",
      path: "/v1/sys/unseal",
      body: JSON.stringify({ key: SHARE }),
    });
    expect(stdout).toContain("Unseal Progress    1/2\n");
    await server.ask(to, ["operator", "unseal", "--key-file", fileOf("share", ` ${SHARE}\r\n`)]);
    expect(server.seen[0]?.body).toBe(JSON.stringify({ key: SHARE }));
    await server.ask(to, ["operator", "unseal", "-reset"]);
    expect(server.seen[0]?.body).toBe('{"reset":true}');
  });

  test("unseal refuses a share on the command line, and never repeats one", async () => {
    const argued = await server.ask([], ["operator", "unseal", SHARE]);
    expect(argued.code).toBe(1);
    expect(argued.stderr).toContain("coffer: hint: type it at the prompt");
    const both = await server.ask([], ["operator", "unseal"], { stdin: `${SHARE}\n${SHARE}\n` });
    expect(both.code).toBe(1);
    const none = await server.ask([], ["operator", "unseal"], { stdin: "\n" });
    expect(none.stderr).toStartWith("coffer: no key share in standard input\n");
    expect(argued.stderr + both.stderr + argued.stdout + both.stdout).not.toContain(SHARE);
  });

  test("seal", async () => {
    const { stdout, code } = await server.ask(["init-unseal: seal"], ["operator", "seal"]);
    expect({ stdout, code }).toEqual({ stdout: "Success! Vault is sealed.\n", code: 0 });
    expect(server.seen[0]).toMatchObject({ method: "PUT", path: "/v1/sys/seal" });
  });

  test("key-status", async () => {
    const { stdout } = await server.ask(["rotate-and-config: key-status"], ["operator", "key-status"]);
    expect(stdout).toBe("Key Term            1\nInstall Time        22 Nov 26 08:36 UTC\nEncryption Count    20\n");
    const json = await server.ask(["rotate-and-config: key-status"], ["operator", "key-status", "-format=json"]);
    expect(JSON.parse(json.stdout)).toEqual(recorded["rotate-and-config: key-status"].body.data);
  });
});

describe("secrets", () => {
  test("list prints what is mounted, sorted", async () => {
    const { stdout } = await server.ask(["mounts: list"], ["secrets", "list"]);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^Path +Type +Accessor +Description$/);
    expect(lines.slice(2).map((line) => line.split(/ {2,}/)[0])).toEqual(["cubbyhole/", "identity/", "sys/", ""]);
    const json = await server.ask(["mounts: list"], ["secrets", "list", "-format=json"]);
    expect(JSON.parse(json.stdout)).toEqual(recorded["mounts: list"].body.data);
  });

  test("enable and disable", async () => {
    const enabled = await server.ask(
      ["mounts: enable kv"],
      ["secrets", "enable", "-path=team/kv/", "-description", "-x", "kv"],
    );
    expect(enabled.stdout).toBe("Success! Enabled the kv secrets engine at: team/kv/\n");
    expect(server.seen[0]).toMatchObject({
      method: "PUT",
      path: "/v1/sys/mounts/team/kv",
      body: '{"type":"kv","description":"-x"}',
    });
    const taken = await server.ask(["mounts: enable again"], ["secrets", "enable", "kv"]);
    expect(taken.code).toBe(2);
    expect(taken.stderr).toContain("\n* path is already in use at kv/\ncoffer: hint: choose another path with -path");
    const disabled = await server.ask(["mounts: enable kv"], ["secrets", "disable", "team/kv/"]);
    expect(server.seen[0]).toMatchObject({ method: "DELETE", path: "/v1/sys/mounts/team/kv" });
    expect(disabled.stdout).toBe("Success! Disabled the secrets engine (if it existed) at: team/kv/\n");
  });
});
