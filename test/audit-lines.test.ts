/** What stands in a line: every string of a body as its hash, and nothing of a secret. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { hashLeaves, hashWith } from "../core/audit/leaves.ts";
import { hmacSha256 } from "../core/crypto.ts";
import { toHex, utf8 } from "../core/encoding.ts";
import { parseBody } from "../core/http/json.ts";
import { type AuditLine, declare, testDevice } from "./audit-device.ts";
import { runs, startCoffer } from "./harness.ts";

const hash = hashWith(utf8("a salt"));

describe("the leaves of a body", () => {
  test("are HMAC-SHA256 under the salt, in hex", () => {
    const expected = `hmac-sha256:${toHex(hmacSha256(utf8("a salt"), utf8("häslich ☠")))}`;
    expect(JSON.parse(hashLeaves("häslich ☠", hash))).toBe(expected);
  });

  test("are all hashed, and the shape stays", () => {
    const expected = (value: unknown): unknown => {
      if (typeof value === "string") return hash(value);
      if (Array.isArray(value)) return value.map(expected);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, expected(member)]));
    };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(JSON.parse(hashLeaves(value, hash))).toEqual(JSON.parse(JSON.stringify(expected(value))));
      }),
      { numRuns: runs(500) },
    );
  });

  test.each(["1.0", "1E5", "-0", "12345678901234567890123", '{"a":[1.50]}'])("%s keeps its text", (text) => {
    expect(hashLeaves(parseBody(utf8(text)), hash)).toBe(text);
  });

  test("may be bytes, what JSON makes of them, or nothing", () => {
    const value = { bytes: Uint8Array.of(1, 2), date: new Date(0), none: undefined, list: [undefined] };
    expect(JSON.parse(hashLeaves(value, hash))).toEqual({
      bytes: hash("AQI="),
      date: "1970-01-01T00:00:00.000Z",
      list: [null],
    });
  });

  test.each([
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.5Z",
    "2026-12-31T23:59:59.123456789+05:30",
    "2024-02-29T00:00:00-11:00",
  ])("%s is a time and stays", (text) => expect(JSON.parse(hashLeaves(text, hash))).toBe(text));

  test.each([
    "",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-13-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00Z hunter2",
    `2026-01-01T00:00:00.${"1".repeat(40)}Z`,
    "AAAAAAAAAATAAAAAAAAA",
  ])("%p is none and is hashed", (text) => expect(JSON.parse(hashLeaves(text, hash))).toBe(hash(text)));
});

/** Lines of a read, a list and a share given, by a device with these options. */
async function linesWith(options: Readonly<Record<string, string>>, allowPrefix = false) {
  const device = testDevice();
  const prefix = options["prefix"] ?? "";
  await using server = await startCoffer({
    audit: { ...declare({ one: device }, options), allowPrefix },
    peer: { address: "192.0.2.7", port: 4711 },
  });
  const { token, keys } = await server.initAndUnseal();
  await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
  await server.call("PUT", "kv/a", { token, body: { value: "the secret" } });
  const from = device.texts.length;
  const { body } = await server.call("GET", "kv/a", { token });
  await server.call("LIST", "kv/", { token });
  await server.call("PUT", "sys/generate-share/update", { body: { key: keys[0] } });
  const lines = device.texts.slice(from).map((text) => {
    expect(text.startsWith(`${prefix}{"time":"2026-`)).toBe(true);
    return JSON.parse(text.slice(prefix.length)) as AuditLine;
  });
  // Endpoints that are not there: a typing error, and where Vault's own tools send shares.
  for (const path of ["sys/unseall", "sys/rekey/update", "sys/generate-root/update"])
    await server.call("PUT", path, { token, body: { key: keys[0] } });
  const lookup = await server.call("GET", "auth/token/lookup-self", { token });
  const { accessor } = lookup.body["data"] as { accessor: string };
  return { lines, token, keys, accessor, requestId: body["request_id"], all: device.texts.join("") };
}

describe("a line", () => {
  test("tells who asked, from where, for what, and by which id", async () => {
    const { lines, all, token, keys, accessor, requestId } = await linesWith({});
    expect(lines).toHaveLength(6);
    expect(lines[0]).toEqual({
      time: "2026-01-01T00:00:00.000Z",
      type: "request",
      auth: {
        client_token: expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/) as unknown,
        accessor: expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/) as unknown,
        display_name: "root",
        policies: ["root"],
        token_policies: ["root"],
        policy_results: { allowed: true, granting_policies: [{ name: "root", namespace_id: "root", type: "acl" }] },
        token_type: "service",
        token_issue_time: "2026-01-01T00:00:00Z",
      },
      request: {
        id: requestId as string,
        // SHA-256 of `root`, NUL, `root`.
        client_id: "0DHqvq2D77kL2/JTPSZkTMJbkFVmUu0TzMi0jiXcFy8=",
        operation: "read",
        mount_point: "kv/",
        mount_type: "kv",
        mount_accessor: expect.stringMatching(/^kv_[0-9a-f]{8}$/) as unknown,
        mount_class: "secret",
        client_token: lines[0]?.auth["client_token"],
        client_token_accessor: lines[0]?.auth["accessor"],
        namespace: { id: "root" },
        path: "kv/a",
        remote_address: "192.0.2.7",
        remote_port: 4711,
      },
    });
    for (const secret of [token, accessor, "the secret", ...keys]) expect(all).not.toContain(secret);
  });

  test("tells the name of a token that was made", async () => {
    const device = testDevice();
    await using server = await startCoffer({ audit: declare({ one: device }) });
    const { token } = await server.initAndUnseal();
    device.fresh();
    for (const body of [{}, { display_name: "backup" }])
      await server.call("POST", "auth/token/create", { token, body });
    const names = device.fresh().flatMap(({ response }) => (response === undefined ? [] : [response["auth"]]));
    expect(names).toMatchObject([{ display_name: "token" }, { display_name: "token-backup" }]);
  });

  test("shows the accessor where hmac_accessor is off", async () => {
    const { lines, accessor, token, all } = await linesWith({ hmac_accessor: "false" });
    expect(lines[0]?.auth["accessor"]).toBe(accessor);
    expect(lines[0]?.request["client_token_accessor"]).toBe(accessor);
    expect(all).not.toContain(token);
  });

  test("shows bodies and tokens where log_raw is on, but no share and not the first token", async () => {
    const { lines, token, keys, all } = await linesWith({ log_raw: "true" });
    expect(lines[0]?.auth["client_token"]).toBe(token);
    expect(lines[1]?.response?.["data"]).toEqual({ value: "the secret" });
    expect(lines[3]?.response?.["data"]).toEqual({ keys: ["a"] });
    for (const key of keys) expect(all).not.toContain(key);
  });

  test("counts the keys of a list where elide_list_responses is on", async () => {
    const { lines } = await linesWith({ elide_list_responses: "true" });
    expect(lines[3]?.response?.["data"]).toEqual({ keys: 1 });
    expect(lines[1]?.response?.["data"]).toEqual({ value: expect.stringMatching(/^hmac-sha256:/) as unknown });
  });

  test("begins with the prefix, where prefixes are allowed", async () => {
    expect((await linesWith({ prefix: "@cee: " }, true)).lines).toHaveLength(6);
    const refused = linesWith({ prefix: "@cee: " });
    expect(refused).rejects.toThrow("audit log prefixing is not allowed");
  });
});
