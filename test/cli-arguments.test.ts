import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { normaliseArguments } from "../cli/arguments.ts";
import { injectedVariable } from "../cli/environment.ts";
import { coffer } from "./cli/spawn.ts";

describe("arguments", () => {
  const names = { takesValue: new Set(["format", "field", "description"]), flags: new Set(["dev", "tls-skip-verify"]) };

  test.each([
    ["-format=json", ["--format=json"]],
    ["-format=json -dev", ["--format=json", "--dev"]],
    ["-format json", ["--format", "json"]],
    ["--format -json", ["--format", "-json"]],
    ["-dev -h -help", ["--dev", "-h", "--help"]],
    ["kv put a - k=-x -5 --x", ["kv", "put", "a", "-", "k=-x", "-5", "--x"]],
    ["-dev -- -dev -x=y", ["--dev", "--", "-dev", "-x=y"]],
    ["-field -- -dev", ["--field", "--", "--dev"]],
    ["-dev=true --tls-skip-verify=1", ["--dev", "--tls-skip-verify"]],
    ["-dev=false --tls-skip-verify=F", ["--no-dev", "--no-tls-skip-verify"]],
    ["-dev=yes -format=true -other=false", ["--dev=yes", "--format=true", "--other=false"]],
  ])("%s", (typed, expected) => expect(normaliseArguments(typed.split(" "), names)).toEqual(expected));

  test("that were normalised stay as they are", () => {
    const words = fc.array(
      fc.oneof(fc.string(), fc.constantFrom("-dev", "-format", "--", "-", "-field=x", "-h", "-dev=false")),
    );
    fc.assert(
      fc.property(words, (args) => {
        const once = normaliseArguments(args, names);
        expect(normaliseArguments(once, names)).toEqual(once);
        expect(once).toHaveLength(args.length);
      }),
    );
  });
});

describe("the environment", () => {
  test.each(["BUN_OPTIONS", "BUN_BE_BUN", "NODE_OPTIONS", "BUN_INSPECT", "BUN_INSPECT_PRELOAD", "BUN_INSPECT_X"])(
    "with %s is noticed, unless it is empty",
    (name) => {
      expect(injectedVariable({ HOME: "/", [name]: "x" })).toMatchObject({ name });
      expect(injectedVariable({ HOME: "/", [name]: "" })).toBeUndefined();
    },
  );

  test.each(["0", "1"])("with NODE_TLS_REJECT_UNAUTHORIZED=%s is noticed, for what it does", (value) => {
    expect(injectedVariable({ HOME: "/", NODE_TLS_REJECT_UNAUTHORIZED: value })).toEqual({
      name: "NODE_TLS_REJECT_UNAUTHORIZED",
      reason: "it switches off the check of the server's certificate",
    });
    expect(injectedVariable({ HOME: "/", NODE_TLS_REJECT_UNAUTHORIZED: "" })).toBeUndefined();
  });

  test("with such a variable stops the program before it does anything", async () => {
    const { code, stdout, stderr } = await coffer(["version"], { env: { BUN_INSPECT_CONNECT_TO: "x" } });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^coffer: BUN_INSPECT_CONNECT_TO is set: .+\ncoffer: hint: unset it: .+\n$/);
  });
});

describe("usage", () => {
  test.each([
    ["stat", "coffer: unknown command 'stat'\ncoffer: hint: did you mean status?\n"],
    ["kv gett a", "coffer: unknown command 'gett'\ncoffer: hint: did you mean get?\n"],
    ["kv get -fromat json a", "coffer: unknown option '--fromat'\ncoffer: hint: did you mean --format?\n"],
    [
      "status -format=yaml",
      "coffer: option '--format <format>' is invalid: Allowed choices are table, json.\ncoffer: hint: --help shows how each command is used\n",
    ],
    [
      "status -address=ftp://x",
      "coffer: the address of --address is not a URL that begins with http://, https:// or unix://\ncoffer: hint: give it as https://HOST:PORT, http://HOST:PORT or unix:///PATH\n",
    ],
    [
      "status -address=http://user:pw@x",
      "coffer: the address of --address holds more than a host, a port and a path\ncoffer: hint: give it as https://HOST:PORT, http://HOST:PORT or unix:///PATH\n",
    ],
    [
      "secrets enable -version=2 kv",
      "coffer: unknown option '--version'\ncoffer: hint: --help shows how each command is used\n",
    ],
    [
      "server -dev-shares=1",
      "coffer: --dev-shares and --dev-root-token-id are for dev mode\ncoffer: hint: add --dev, or leave them out\n",
    ],
    ["kv get", "coffer: missing required argument 'path'\ncoffer: hint: --help shows how each command is used\n"],
  ])("%s", async (typed, stderr) => {
    expect(await coffer(typed.split(" "))).toEqual({ code: 1, stdout: "", stderr });
  });

  test("a token that no header can carry is refused unseen", async () => {
    const { code, stderr } = await coffer(["status"], { env: { VAULT_TOKEN: "hunter2\nx" } });
    expect(code).toBe(1);
    expect(stderr).toStartWith("coffer: the token of VAULT_TOKEN holds characters that no token has\n");
  });

  const commands = [
    [],
    ["server"],
    ["status"],
    ["operator"],
    ...["init", "unseal", "seal", "key-status", "rotate", "rotate-config", "generate-share"].map((name) => [
      "operator",
      name,
    ]),
    ...["get", "set"].map((name) => ["operator", "rotate-config", name]),
    ...["start", "status", "update", "cancel"].map((name) => ["operator", "generate-share", name]),
    ["kv"],
    ...["get", "put", "list", "delete"].map((name) => ["kv", name]),
    ["secrets"],
    ...["enable", "list", "disable"].map((name) => ["secrets", name]),
    ["version"],
  ];
  test.each(commands.map((command) => [command.join(" "), command] as const))(
    "%s --help ends in examples",
    async (_, command) => {
      const { code, stdout, stderr } = await coffer([...command, "-h"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/\n\nExamples:\n( {2}\$ .+\n)+$/);
      expect(stdout).not.toContain("\u001b");
    },
  );
});
