/** Who counts as the sender of a request behind proxies, and that log and audit name him. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TrustedProxies } from "../../cli/http/forwarded.ts";
import { plainAddress } from "../../core/access/ip-address.ts";
import { newFolder, startServer } from "../executable.ts";

describe("the sender", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8", "192.0.2.1", "fd00::/8", "2001:db8::1"]);

  test.each([
    ["203.0.113.9", undefined, "203.0.113.9"],
    ["203.0.113.9", "198.51.100.7", "203.0.113.9"],
    ["10.1.2.3", undefined, "10.1.2.3"],
    ["10.1.2.3", "198.51.100.7", "198.51.100.7"],
    ["10.1.2.3", "1.2.3.4, 198.51.100.7", "198.51.100.7"],
    ["10.1.2.3", "1.2.3.4,198.51.100.7 , 10.9.9.9,\t192.0.2.1", "198.51.100.7"],
    ["10.1.2.3", "10.4.4.4, 10.5.5.5", "10.4.4.4"],
    ["192.0.2.1", "198.51.100.7", "198.51.100.7"],
    ["192.0.2.2", "198.51.100.7", "192.0.2.2"],
    ["fd00::1", "2001:db8::2", "2001:db8::2"],
    ["fd00::1", "2001:db8::2, 2001:db8::1", "2001:db8::2"],
    ["10.1.2.3", "::ffff:198.51.100.7", "198.51.100.7"],
    ["10.1.2.3", "", "10.1.2.3"],
    ["10.1.2.3", "unknown", "10.1.2.3"],
    ["10.1.2.3", "198.51.100.7, unknown", "10.1.2.3"],
    ["10.1.2.3", "198.51.100.7, 10.2.2.2, 999.1.1.1", "10.1.2.3"],
    ["10.1.2.3", "1.2.3.4, 198.51.100.7:443", "198.51.100.7"],
    ["10.1.2.3", "198.51.100.7:443, 10.9.9.9:65535", "198.51.100.7"],
    ["10.1.2.3", "[2001:db8::2]", "2001:db8::2"],
    ["10.1.2.3", "[2001:db8::2]:443, [2001:db8::1]:1", "2001:db8::2"],
    ["10.1.2.3", "[::ffff:198.51.100.7]:443", "198.51.100.7"],
    ["10.1.2.3", "2001:db8::2:443", "2001:db8::2:443"],
    ["10.1.2.3", "198.51.100.7:", "10.1.2.3"],
    ["10.1.2.3", "198.51.100.7:443443", "10.1.2.3"],
    ["10.1.2.3", "198.51.100.7:+443", "10.1.2.3"],
    ["10.1.2.3", "198.51.100.7:443:443", "10.1.2.3"],
    ["10.1.2.3", ":443", "10.1.2.3"],
    ["10.1.2.3", "[198.51.100.7]:443", "10.1.2.3"],
    ["10.1.2.3", "[]", "10.1.2.3"],
    ["10.1.2.3", "[2001:db8::2", "10.1.2.3"],
    ["10.1.2.3", "[2001:db8::2]443", "10.1.2.3"],
    ["10.1.2.3", "[[2001:db8::2]]", "10.1.2.3"],
    ["10.1.2.3", "127.1", "10.1.2.3"],
    ["10.1.2.3", "0x7f000001", "10.1.2.3"],
    ["10.1.2.3", ",,", "10.1.2.3"],
  ])("%s that says %p is %s", (peer, said, expected) => {
    const headers = new Headers(said === undefined ? {} : { "x-forwarded-for": said });
    expect(proxies.clientOf(peer, headers)).toBe(expected);
  });

  test("nobody is believed unless told", () => {
    expect(new TrustedProxies([]).clientOf("127.0.0.1", new Headers({ "x-forwarded-for": "1.2.3.4" }))).toBe(
      "127.0.0.1",
    );
  });

  test.each([
    ["10.0.0.0/33"],
    ["10.0.0/8"],
    ["fd00::/129"],
    ["x"],
    [""],
    ["10.0.0.0/8/8"],
    ["10.0.0.0/-1"],
    ["10.0.0.0/"],
  ])("%p is no proxy", (range) => expect(() => new TrustedProxies([range])).toThrow("no address and no range"));

  test.each([
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::FFFF:10.0.0.1", "10.0.0.1"],
    ["::1", "::1"],
    ["10.0.0.1", "10.0.0.1"],
  ])("%s is %s", (address, plain) => expect(plainAddress(address)).toBe(plain));
});

test.each([
  ["trusted", `["127.0.0.1"]`, "198.51.100.7"],
  ["not trusted", `["10.0.0.0/8"]`, "127.0.0.1"],
])("a proxy that is %s: log and audit name who they should", async (_name, proxies, expected) => {
  const folder = newFolder();
  const [config, audit] = [join(folder, "coffer.toml"), join(folder, "audit.log")];
  writeFileSync(
    config,
    `[listener]\nx_forwarded_for_authorized_addrs = ${proxies}\n[[audit]]\ntype = "file"\noptions = { file_path = "${audit}" }\n`,
  );
  await using server = await startServer({ args: ["--config", config, "--storage", "memory:"] });
  const { token } = await server.initAndUnseal();
  const headers = { "x-forwarded-for": "1.2.3.4, 198.51.100.7" };
  await server.call("GET", "sys/mounts", { token, headers });
  await server.call("GET", "sys/mounts", { token: "wrong", headers });
  await server.stop();
  const logged = server.log.filter(({ route }) => route === "read mounts" || route === "read sys/mounts");
  expect(logged.map((line) => line["remote_address"])).toEqual([expected, expected]);
  const lines = readFileSync(audit, "utf8").trimEnd().split("\n");
  const audited = lines
    .map((line) => JSON.parse(line) as { request: { path: string; remote_address: string } })
    .filter(({ request }) => request.path === "sys/mounts");
  expect(new Set(audited.map(({ request }) => request.remote_address))).toEqual(new Set([expected]));
  expect(audited.length).toBe(4);
});
