/** `coffer kv`, as a process of its own, against recorded answers. */

import { afterAll, describe, expect, test } from "bun:test";
import recorded from "./cli/recorded-answers.json";
import { RecordedServer } from "./cli/recorded-server.ts";
import { fileOf } from "./cli/spawn.ts";

const server = new RecordedServer();
afterAll(() => server[Symbol.dispose]());

describe("kv", () => {
  test("get prints a table as vault does", async () => {
    const { stdout, stderr, code } = await server.ask(["kv1: read"], ["kv", "get", "kv/a"]);
    expect(stdout).toBe(
      [
        "== Data ==",
        "Key    Value",
        "---    -----",
        "b      true",
        "f      1.5",
        "l      [1 x]",
        "n      1",
        "o      map[k:v]",
        "s      text",
        "z      <nil>",
        "",
      ].join("\n"),
    );
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  });

  test("get -format=json prints the whole answer, and every number as it was stored", async () => {
    const text = '{"request_id":"r","data":{"big":12345678901234567890123,"one":1.0,"__proto__":{"constructor":1E5}}}';
    const { stdout } = await server.ask([{ status: 200, text }], ["kv", "get", "-format=json", "kv/a"]);
    expect(stdout).toContain(
      '"big": 12345678901234567890123,\n    "one": 1.0,\n    "__proto__": {\n      "constructor": 1E5',
    );
    const whole = await server.ask(["kv1: read"], ["kv", "get", "kv/a"], { env: { VAULT_FORMAT: "json" } });
    const { wrap_info: _, auth: __, ...body } = recorded["kv1: read"].body;
    expect(JSON.parse(whole.stdout)).toEqual(body);
  });

  test("get -field prints the value and not a byte more", async () => {
    expect((await server.ask(["kv1: read"], ["kv", "get", "-field=s", "kv/a"])).stdout).toBe("text");
    expect((await server.ask(["kv1: read"], ["kv", "get", "-field", "l", "-format=json", "kv/a"])).stdout).toBe(
      '[\n  1,\n  "x"\n]',
    );
    expect((await server.ask(["kv1: read"], ["kv", "get", "-field=lease_duration", "kv/a"])).stdout).toBe("2764800");
    const absent = await server.ask(["kv1: read"], ["kv", "get", "-field=toString", "kv/a"]);
    expect(absent).toMatchObject({ code: 1, stdout: "" });
    expect(absent.stderr).toStartWith(
      'coffer: field "toString" not present in secret\ncoffer: hint: its fields: b, f, l,',
    );
  });

  test("get of a secret that is not there exits with 2 and vault's words", async () => {
    const { code, stdout, stderr } = await server.ask(["kv1: read missing"], ["kv", "get", "-mount=kv/", "nope"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe("coffer: No value found at kv/nope\ncoffer: hint: `coffer kv list kv` shows what is there\n");
  });

  test("a value cannot write on the reader's terminal", async () => {
    const text = JSON.stringify({ data: { "k\u001b[2J": "a\u001b]0;title\u0007\nb\u009b1m\u202e" } });
    const table = await server.ask([{ status: 200, text }], ["kv", "get", "kv/a"]);
    expect(table.stdout).toContain("k\\x1b[2J    a\\x1b]0;title\\x07\\nb\\x9b1m\\u202e\n");
    const json = await server.ask([{ status: 200, text }], ["kv", "get", "-format=json", "kv/a"]);
    expect(json.stdout).not.toMatch(/[^\n\u0020-\u007e]/);
    expect(JSON.parse(json.stdout).data).toEqual(JSON.parse(text).data);
    const error = JSON.stringify({ errors: ["bad\u001b[2J\ncoffer: hint: run this"] });
    const { stderr } = await server.ask([{ status: 400, text: error }], ["kv", "get", "kv/a"]);
    expect(stderr).toContain("\n* bad\\x1b[2J\n  coffer: hint: run this\ncoffer: hint: the server");
  });

  test("put sends what arguments, files and standard input say, with PUT", async () => {
    const args = ["kv", "put", "-mount=kv", "a", "k=v=w", "empty=", "neg=-x", "n=-", "at=\\@x"];
    const pem = fileOf("pem", "line 1\nline 2\n");
    const { stdout, code } = await server.ask(["kv1: write"], [...args, `f=@${pem}`, "l=1", "l=2"], {
      stdin: "typed\n",
    });
    expect({ stdout, code }).toEqual({ stdout: "Success! Data written to: kv/a\n", code: 0 });
    expect(server.seen[0]).toMatchObject({ method: "PUT", path: "/v1/kv/a" });
    expect(JSON.parse(server.seen[0]?.body ?? "")).toEqual({
      k: "v=w",
      empty: "",
      neg: "-x",
      n: "typed\n",
      at: "@x",
      f: "line 1\nline 2\n",
      l: ["1", "2"],
    });
  });

  test("put sends a JSON object from a file or standard input, every number as it was written", async () => {
    const json = '{"big":12345678901234567890123,"one":1.0,"__proto__":"p"}';
    await server.ask(["kv1: write"], ["kv", "put", "kv/a", `@${fileOf("a.json", json)}`]);
    expect(server.seen[0]?.body).toBe(json);
    await server.ask(["kv1: write"], ["kv", "put", "kv/a", "-", "x=y"], { stdin: json });
    expect(server.seen[0]?.body).toBe(json.replace("}", ',"x":"y"}'));
  });

  test.each([
    ["a word that is no pair", ["hunter2"], "argument 1 after the path is not key=value"],
    ["an option that is not known", ["-password=hunter2"], "unknown option '--password'"],
    ["a file that is not there", ["k=@hunter2"], "cannot read the file named after @: no such file"],
    ["standard input that is not JSON", ["-"], "standard input is not JSON"],
    ["standard input named twice", ["a=-", "b=-"], "standard input is named twice"],
  ])("put refuses %s without repeating it", async (_, data, message) => {
    const { code, stderr } = await server.ask([], ["kv", "put", "kv/a", ...data], { stdin: "hunter2" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/\ncoffer: hint: .+\n$/);
    expect(stderr).toStartWith(`coffer: ${message}\n`);
    expect(stderr).not.toContain("hunter2");
  });

  test("put refuses bytes that are not text, which JSON cannot carry", async () => {
    const { code, stderr } = await server.ask(
      [],
      ["kv", "put", "kv/a", `k=@${fileOf("b", new Uint8Array([0xff, 0]))}`],
    );
    expect(code).toBe(1);
    expect(stderr).toContain("is not UTF-8 text");
  });

  test("list asks with GET and prints keys", async () => {
    const { stdout } = await server.ask(["kv1: list root GET"], ["kv", "list", "kv/"]);
    expect(server.seen[0]).toMatchObject({ method: "GET", path: "/v1/kv?list=true" });
    expect(stdout).toBe("Keys\n----\na\ndir/\n");
    expect((await server.ask(["kv1: list root GET"], ["kv", "list", "-mount=kv", "-format=json"])).stdout).toBe(
      '[\n  "a",\n  "dir/"\n]\n',
    );
    expect((await server.ask(["kv1: read missing"], ["kv", "list", "kv/nope"])).code).toBe(2);
  });

  test("delete says so, and is silent to programs", async () => {
    const { stdout } = await server.ask(["kv1: write"], ["kv", "delete", "kv/a"]);
    expect(server.seen[0]).toMatchObject({ method: "DELETE", path: "/v1/kv/a" });
    expect(stdout).toBe("Success! Data deleted (if it existed) at: kv/a\n");
    expect((await server.ask(["kv1: write"], ["kv", "delete", "-format=json", "kv/a"])).stdout).toBe("");
  });
});
