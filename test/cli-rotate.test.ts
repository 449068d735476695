/** `coffer operator rotate` and `rotate-config` against answers that a real server of this API gave. */

import { afterAll, expect, test } from "bun:test";
import recorded from "./cli/recorded-answers.json";
import { RecordedServer } from "./cli/recorded-server.ts";

const server = new RecordedServer();
afterAll(() => server[Symbol.dispose]());

test("rotate asks for a new key, and prints its state as vault does", async () => {
  const answers = ["rotate-and-config: rotate", "rotate-and-config: key-status"] as const;
  const { stdout, code } = await server.ask(answers, ["operator", "rotate"]);
  expect(code).toBe(0);
  expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "POST /v1/sys/rotate",
    "GET /v1/sys/key-status",
  ]);
  expect(server.seen[0]?.headers.get("x-vault-token")).toBe("the-token");
  expect(stdout).toBe(
    "Success! Rotated key\n\nKey Term            1\nInstall Time        22 Nov 26 08:36 UTC\nEncryption Count    20\n",
  );
  const json = await server.ask(answers, ["operator", "rotate", "-format=json"]);
  expect(JSON.parse(json.stdout)).toEqual(recorded["rotate-and-config: key-status"].body.data);
});

test("rotate-config prints the settings; an interval that is not set is a number there", async () => {
  const { stdout } = await server.ask(["rotate-and-config: rotate config"], ["operator", "rotate-config"]);
  expect(server.seen[0]).toMatchObject({ method: "GET", path: "/v1/sys/rotate/config" });
  expect(stdout).toBe("Max Operations    3865470566\nInterval          none\nEnabled           true\n");
  const json = await server.ask(
    ["rotate-and-config: rotate config"],
    ["operator", "rotate-config", "get", "-format=json"],
  );
  expect(JSON.parse(json.stdout)).toEqual(recorded["rotate-and-config: rotate config"].body.data);
});

test("rotate-config set sends what is given and nothing else, and prints the settings after it", async () => {
  const answers = ["rotate-and-config: config: set all", "rotate-and-config: config after set"] as const;
  const set = ["operator", "rotate-config", "set"];
  const { stdout } = await server.ask(answers, [...set, "-max-operations=2000000000", "-interval", "4320h"]);
  expect(server.seen[0]).toMatchObject({
    method: "POST",
    path: "/v1/sys/rotate/config",
    body: '{"max_operations":2000000000,"interval":"4320h"}',
  });
  const { max_operations, interval, enabled } = recorded["rotate-and-config: config after set"].body.data;
  expect(stdout).toBe(
    `Max Operations    ${max_operations}\nInterval          ${interval}\nEnabled           ${enabled}\n`,
  );
  await server.ask(answers, [...set, "--enabled=false"]);
  expect(server.seen[0]?.body).toBe('{"enabled":false}');
});

test("rotate-config set with nothing to set asks for nothing", async () => {
  expect(await server.ask([], ["operator", "rotate-config", "set"])).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "coffer: nothing to set\ncoffer: hint: give --max-operations, --interval or --enabled\n" +
      "coffer: hint: `coffer operator rotate-config` shows the settings\n",
  });
});
