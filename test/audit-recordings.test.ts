/**
 * The lines that an existing server of this API had written for recorded requests, compared with those of the
 * executable. Everywhere else than in that server's lines: ids, times, hashes, accessors and ports have other values;
 * versions of plugins (they have none) and the accessor of a mount, which that server names in some lines only, are not
 * compared.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { newFolder, startServer } from "./executable.ts";
import { ACCEPTED_AUDIT } from "./recordings/accepted.ts";
import { configOf } from "./recordings/configuration.ts";
import { readAuditLog, readRecording, replay } from "./recordings/recording.ts";

const NOT_COMPARED = new Set(
  `time id mount_running_version mount_running_plugin_version mount_accessor remote_address remote_port
  token_issue_time`.split(/\s+/),
);

function comparable(line: unknown): unknown {
  const text = JSON.stringify(line, (key, value: unknown) => (NOT_COMPARED.has(key) ? undefined : value));
  return JSON.parse(text.replaceAll(/hmac-sha256:[0-9a-f]{64}/g, "hmac"));
}

test("the lines are those recorded", async () => {
  const recording = readRecording("audit");
  const wanted = readAuditLog("audit");
  const { config, auditLog } = configOf(recording, newFolder());
  await using server = await startServer({ args: ["--config", config] });
  const accepted = new Set(ACCEPTED_AUDIT.map(({ name }) => name));
  const other: Record<string, unknown> = {};
  // What came before the first request of the recording was recorded there for nobody: an init and its unseal.
  let seen: number | undefined;
  for await (const [{ name }] of replay(server.port, recording)) {
    const lines = readFileSync(auditLog, "utf8").split("\n").slice(0, -1);
    seen ??= lines.findIndex((line) => line.includes('"path":"sys/audit"'));
    const got = lines.slice(seen).map((line) => comparable(JSON.parse(line)));
    seen = lines.length;
    const want = (wanted.get(name) ?? []).map(comparable);
    if (!Bun.deepEquals(got, want)) other[name] = { got, want };
  }
  const names = Object.keys(other);
  expect(Object.fromEntries(names.filter((name) => !accepted.has(name)).map((name) => [name, other[name]]))).toEqual(
    {},
  );
  expect([...accepted].filter((name) => !names.includes(name))).toEqual([]);
});

test("a value is found in the lines by sys/audit-hash", async () => {
  const { config, auditLog } = configOf(readRecording("audit"), newFolder());
  await using server = await startServer({ args: ["--config", config] });
  const { token } = await server.initAndUnseal();
  const { body } = await server.call("POST", "sys/audit-hash/file", { token, body: { input: "hello" } });
  expect(body["hash"]).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  const [asked, answered] = readFileSync(auditLog, "utf8").trim().split("\n").slice(-2);
  expect(JSON.parse(asked ?? "")).toMatchObject({
    type: "request",
    request: { data: { input: body["hash"] }, remote_address: "127.0.0.1", remote_port: expect.any(Number) as unknown },
  });
  const again = await server.call("POST", "sys/audit-hash/file", { token, body: { input: body["hash"] } });
  expect(JSON.parse(answered ?? "")).toMatchObject({ response: { data: { hash: again.body["hash"] } } });
});
