/**
 * A store of each format as it lies on disk, made once, that every later version must open.
 *
 * Made by `MAKE_GOLDEN=1 bun test test/golden-store.test.ts`, which replaces that of the newest format. Do that only while
 * no version with this format has been released; a new format gets a folder of its own beside the others.
 */
import { describe, expect, test } from "bun:test";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../storage/file.ts";
import { FORMAT } from "../storage/file-format.ts";
import { fatal, temporaryFolder } from "./file-store.ts";
import { startCoffer } from "./harness.ts";

const goldenOf = (format: number) => join(import.meta.dir, `data/golden-store-${format}`);
const FORMATS = Array.from({ length: FORMAT }, (_, index) => index + 1);

const SECRETS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  plain: { user: "ann", password: "correct horse" },
  "a/b/c": { n: 12.5, list: [1, null, true], nested: { empty: {} } },
  a: { beside: "a folder of the same name" },
  "with space/ü-日本-😀": { text: "ü-日本-😀\n" },
  large: { text: "x".repeat(100_000) },
};

interface Known {
  /** Hex; three of the five open the store. */
  readonly shares: readonly string[];
  readonly rootToken: string;
  /** A child of the root token, with an id of its own. */
  readonly childToken: string;
  readonly encryptions: number;
}

const url = (path: string) => `kv/${path.split("/").map(encodeURIComponent).join("/")}`;

test.skipIf(process.env["MAKE_GOLDEN"] !== "1")("makes the golden store anew", async () => {
  const golden = goldenOf(FORMAT);
  rmSync(golden, { recursive: true, force: true });
  await using driver = await openFile(join(golden, "store"), { fatal });
  await using server = await startCoffer({ driver });
  const { keys, token } = await server.initAndUnseal();
  const mount = { type: "kv", description: "golden", config: { default_lease_ttl: "1h" } };
  await server.call("POST", "sys/mounts/kv", { token, body: mount });
  for (const [path, body] of Object.entries(SECRETS))
    expect((await server.call("PUT", url(path), { token, body })).status).toBe(204);
  const child = { id: "golden-child", display_name: "golden", meta: { made: "once" } };
  expect((await server.call("POST", "auth/token/create", { token, body: child })).status).toBe(200);
  const { encryptions } = (await server.call("GET", "sys/key-status", { token })).body;
  const known = { shares: keys, rootToken: token, childToken: child.id, encryptions };
  writeFileSync(join(golden, "known.json"), `${JSON.stringify(known, undefined, 2)}\n`);
});

describe.each(FORMATS)("the golden store of format %d", (format) => {
  test("opens with its shares, and holds what was put there", async () => {
    const known = JSON.parse(readFileSync(join(goldenOf(format), "known.json"), "utf8")) as Known;
    await using folder = temporaryFolder();
    cpSync(join(goldenOf(format), "store"), folder.path, { recursive: true });
    await using driver = await openFile(folder.path, { fatal });
    await using server = await startCoffer({ driver });
    expect((await server.call("GET", "sys/seal-status")).body).toMatchObject({ initialized: true, t: 3, n: 5 });
    await server.unseal(known.shares.slice(1, 4));

    for (const token of [known.rootToken, known.childToken]) {
      for (const [path, data] of Object.entries(SECRETS)) {
        const { status, body } = await server.call("GET", url(path), { token });
        expect([path, status, body["data"], body["lease_duration"]]).toEqual([path, 200, data, 3600]);
      }
    }
    const lookup = await server.call("GET", "auth/token/lookup-self", { token: known.childToken });
    expect(lookup.body["data"]).toMatchObject({ display_name: "token-golden", meta: { made: "once" }, orphan: false });
    const token = known.rootToken;
    const status = (await server.call("GET", "sys/key-status", { token })).body;
    expect(status).toMatchObject({ term: 1, install_time: "2026-01-01T00:00:00.000Z", encryptions: known.encryptions });

    expect((await server.call("PUT", url("new"), { token, body: { works: true } })).status).toBe(204);
    expect((await server.call("POST", "auth/token/revoke-self", { token })).status).toBe(204);
    expect((await server.call("GET", url("new"), { token: known.childToken })).status).toBe(403);
  });
});
