/** `coffer server --dev`, as somebody who tries it out meets it. */
import { describe, expect, test } from "bun:test";
import { coffer } from "./cli/spawn.ts";
import { EXECUTABLE, newFolder, type Server, startServer } from "./executable.ts";

const PATH = process.env["PATH"] ?? "";

const sharesOf = ({ stdout }: Server) =>
  Array.from(stdout.matchAll(/^ {2}Unseal Key \d+: (\S+)$/gm), ([, key]) => key ?? "");
const rootTokenOf = ({ stdout }: Server) => /^ {2}Root Token: (\S+)$/m.exec(stdout)?.[1] ?? "";

describe("the banner", () => {
  test("holds the address, the root token, and three shares of which two unseal", async () => {
    await using server = await startServer({ args: ["--dev"] });
    const token = rootTokenOf(server);
    expect(token).toMatch(/^hvs\.[A-Za-z0-9]{24}$/);
    expect((await server.call("GET", "auth/token/lookup-self", { token })).status).toBe(200);
    const [first = "", second = "", third = "", ...more] = sharesOf(server);
    expect(more).toEqual([]);
    expect((await server.call("PUT", "sys/seal", { token })).status).toBe(204);
    expect((await server.call("PUT", "sys/unseal", { body: { key: third } })).body).toMatchObject({
      t: 2,
      n: 3,
      progress: 1,
    });
    expect((await server.call("PUT", "sys/unseal", { body: { key: first } })).body).toMatchObject({ sealed: false });
    expect(second).toHaveLength(44);
    expect(server.stdout).toContain("Never use it in production");
  });

  test.each(["hvs.mine", "two words", "ü", "a\tb"])("is none where the root token cannot be %p", async (id) => {
    const { code, stdout, stderr } = await coffer(
      ["server", "--dev", "--listen", "127.0.0.1:0", "-dev-root-token-id", id],
      {
        program: [EXECUTABLE],
      },
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^coffer: this root token cannot be had: .*\ncoffer: hint: .* take letters, digits and dashes/m,
    );
    expect(stderr).not.toContain(id);
  });

  test("holds a random root token where the one that is given is empty", async () => {
    await using server = await startServer({ args: ["--dev", "-dev-root-token-id", ""] });
    expect(rootTokenOf(server)).toMatch(/^hvs\.[A-Za-z0-9]{24}$/);
  });

  test("holds curl commands that work as they stand", async () => {
    await using server = await startServer({ args: ["--dev"] });
    const commands = /Try it:\n\n([^]+)\n\n$/.exec(server.stdout)?.[1] ?? "";
    const [settings = "", ...curls] = commands.split("\n").map((line) => line.trim());
    expect(curls).toHaveLength(3);
    const answers: string[] = [];
    for (const command of curls) {
      expect(command).toStartWith("curl ");
      const shell = Bun.spawn(["sh", "-ec", `${settings}\n${command} -sS`], { env: { PATH }, stderr: "inherit" });
      answers.push(await shell.stdout.text());
      expect(await shell.exited).toBe(0);
    }
    const [put, get, keyStatus] = answers;
    expect(put).toBe("");
    expect(JSON.parse(get ?? "")).toMatchObject({ data: { password: "correct horse" } });
    expect(JSON.parse(keyStatus ?? "")).toMatchObject({ data: { term: 1, encryptions: expect.any(Number) } });
  });
});

describe("dev mode", () => {
  test("mounts a key-value engine at secret/", async () => {
    await using server = await startServer({ args: ["--dev"] });
    const token = rootTokenOf(server);
    expect((await server.call("GET", "sys/mounts/secret", { token })).body).toMatchObject({ type: "kv" });
    expect((await server.call("PUT", "secret/a", { token, body: { a: 1 } })).status).toBe(204);
    expect((await server.call("GET", "secret/a", { token })).body).toMatchObject({ data: { a: 1 } });
    expect((await server.call("GET", "sys/seal-status")).body).toMatchObject({ storage_type: "inmem" });
  });

  test("with one share has one, which is enough", async () => {
    await using server = await startServer({ args: ["--dev", "--dev-shares", "1"] });
    const token = rootTokenOf(server);
    const shares = sharesOf(server);
    expect(shares).toHaveLength(1);
    await server.call("PUT", "sys/seal", { token });
    expect((await server.call("PUT", "sys/unseal", { body: { key: shares[0] } })).body).toMatchObject({
      sealed: false,
      t: 1,
      n: 1,
    });
  });

  test.each([
    ["an option", { args: ["--dev", "--dev-root-token-id", "mine"] }],
    ["an option with one dash", { args: ["-dev", "-dev-root-token-id=mine"] }],
    ["the environment", { args: ["--dev"], env: { PATH, HOME: newFolder(), VAULT_DEV_ROOT_TOKEN_ID: "mine" } }],
    [
      "an option before the environment",
      { args: ["--dev", "--dev-root-token-id=mine"], env: { VAULT_DEV_ROOT_TOKEN_ID: "x" } },
    ],
  ])("takes the root token from %s, and makes no other", async (_name, start) => {
    await using server = await startServer(start);
    expect(rootTokenOf(server)).toBe("mine");
    const { body } = await server.call("GET", "auth/token/lookup-self", { token: "mine" });
    expect(body).toMatchObject({ data: { policies: ["root"], orphan: true } });
    expect(server.stdout).not.toContain("hvs.");
  });

  test.each([
    ["a store", ["--storage", "file:x"], "dev mode keeps everything in memory"],
    ["five shares", ["--dev-shares", "5"], "Allowed choices are 1, 3"],
  ])("refuses %s", async (_name, args, message) => {
    const { code, stdout, stderr } = await coffer(["server", "--dev", ...args], { program: [EXECUTABLE] });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(message);
  });
});
