/** What only shows with real terminals, pipes and devices around the process. */

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { openSync } from "node:fs";
import { join } from "node:path";
import { coffer } from "./cli/spawn.ts";

const MAIN = join(import.meta.dir, "../cli/main.ts");

/** Runs the client on a terminal, types `typedFirst` at once, and `typed` when `awaited` has appeared on it. */
async function onTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  awaited: string,
  typed: string,
  typedFirst = "",
) {
  let screen = "";
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", TERM: "xterm", ...env },
    terminal: {
      data(terminal, bytes) {
        const before = screen.includes(awaited);
        screen += new TextDecoder().decode(bytes);
        if (!before && screen.includes(awaited)) terminal.write(typed);
      },
    },
  });
  child.terminal?.write(typedFirst);
  return { code: await child.exited, screen };
}

describe("on a terminal", () => {
  test("unseal asks for the share and does not show it", async () => {
    let body = "";
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        body += await request.text();
        return new Response('{"errors":["Vault is not initialized"]}', { status: 400 });
      },
    });
    const env = { COFFER_ADDR: server.url.origin, NO_COLOR: "1" };
    const { code, screen } = await onTerminal(["operator", "unseal"], env, "Unseal key", "c2hhcmU=\r");
    expect(code).toBe(2);
    expect(body).toBe('{"key":"c2hhcmU="}');
    expect(screen).toContain("coffer: hint: initialise it with `coffer operator init`");
    expect(screen).not.toContain("c2hh");
    // A colour is a "control sequence introducer", digits and the letter m.
    const sequences = screen.split("\u001b[").slice(1);
    expect(sequences.filter((sequence) => /^[\d;]*m/.test(sequence))).toEqual([]);
  });

  test("a prompt that is interrupted sends nothing", async () => {
    const { code, screen } = await onTerminal(
      ["operator", "unseal"],
      { COFFER_ADDR: "http://127.0.0.1:1" },
      "Unseal key",
      "\u0003",
    );
    expect(code).toBe(1);
    expect(screen).toContain("coffer: cancelled");
  });

  describe("without a token", () => {
    const tokens: (string | null)[] = [];
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        tokens.push(request.headers.get("x-vault-token"));
        return Response.json({ data: { k: "v" } });
      },
    });
    const env = { COFFER_ADDR: server.url.origin, NO_COLOR: "1" };
    const prompt = "Token (will be hidden):";
    beforeEach(() => void tokens.splice(0));
    afterAll(() => server.stop(true));

    test.each([
      ["", []],
      [" and with standard input named for it", ["--token-file", "-"]],
    ])("a command that needs one asks for it once and does not show it%s", async (_, options) => {
      const { code, screen } = await onTerminal(["kv", "get", ...options, "secret/a"], env, prompt, "hunter2\r");
      expect({ code, screen, tokens }).toMatchObject({ code: 0, tokens: ["hunter2"] });
      expect(screen).not.toContain("hunter");
      expect(screen).toContain("k      v\r\n");
    });

    test.each([
      ["nothing", "\r", "coffer: no token in the prompt\r\n"],
      ["Ctrl-C", "\u0003", "coffer: cancelled\r\n"],
    ])("and with %s for an answer, it sends nothing", async (_, typed, said) => {
      const { code, screen } = await onTerminal(["kv", "get", "secret/a"], env, prompt, typed);
      expect({ code, screen, tokens }).toMatchObject({ code: 1, tokens: [] });
      expect(screen).toContain(said);
      expect(screen).toContain("coffer: hint: give it ");
    });

    test("a value is read from the terminal to its end before the token is asked for", async () => {
      const { code, screen } = await onTerminal(
        ["kv", "put", "secret/a", "k=-"],
        env,
        prompt,
        "hunter2\r",
        "v\n\u0004",
      );
      expect({ code, screen, tokens }).toMatchObject({ code: 0, tokens: ["hunter2"] });
      expect(screen).not.toContain("hunter");
    });

    test("wrong arguments and public commands ask for none", async () => {
      const wrong = await onTerminal(["kv", "put", "secret/a", "nothing"], env, prompt, "");
      expect(wrong.screen).toStartWith("coffer: argument 1 after the path is not key=value\r\n");
      const { screen } = await onTerminal(["status"], env, prompt, "");
      expect(screen).not.toContain("Token");
      expect(tokens).toEqual([null]);
    });
  });

  test("a request that takes over a second says so, and clears the line", async () => {
    let answer: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch() {
        await held;
        return new Response('{"data":{"k":"v"}}');
      },
    });
    let screen = "";
    const child = Bun.spawn([process.execPath, MAIN, "kv", "get", "secret/a"], {
      env: { HOME: "/nonexistent", COFFER_ADDR: server.url.origin, COFFER_TOKEN: "the-token" },
      terminal: {
        data(_, bytes) {
          screen += new TextDecoder().decode(bytes);
          if (screen.includes("waiting for")) answer?.();
        },
      },
    });
    expect(await child.exited).toBe(0);
    expect(screen).toStartWith(`waiting for ${server.url.origin} …\r\u001b[K== Data ==\r\n`);
  });
});

describe("output", () => {
  test("whose reader has gone ends quietly", () => {
    const script = `{ "$0" "$@"; echo "code $?" >&2; } | true`;
    const { stderr } = Bun.spawnSync(["bash", "-c", script, process.execPath, MAIN, "kv", "put", "--help"], {
      stderr: "pipe",
    });
    expect(stderr.toString()).toBe("code 0\n");
  });

  test("that does not fit on the disk is an error", async () => {
    const child = Bun.spawn([process.execPath, MAIN, "version"], {
      stdio: ["ignore", openSync("/dev/full", "w"), "pipe"],
    });
    expect(await child.stderr.text()).toStartWith("coffer: cannot write to stdout\ncoffer: hint: is the disk full?");
    expect(await child.exited).toBe(1);
  });

  test("longer than a pipe arrives whole", async () => {
    const value = "x".repeat(1_000_000);
    using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ data: { value } }) });
    const { stdout } = await coffer(["kv", "get", "-field=value", "a/b"], { env: { COFFER_ADDR: server.url.origin } });
    expect(stdout).toHaveLength(value.length);
  });
});
