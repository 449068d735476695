/** Rotation on the executable over the `file` storage: the documents' own requests, restarts, and death at any moment. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../storage/file.ts";
import { newFolder, type Server, startServer } from "./executable.ts";
import { announceSeed } from "./kill.ts";
import { type Change, settingsAfter } from "./rotation-step.ts";
import { storedKeyring } from "./stored-keyring.ts";
import { openFrame, splitFrame, type VaultKeyring } from "./vault-format.ts";

const KILLS = process.env["SLOW"] === "1" ? 300 : 30;

/** The lines of the documents, and the payload that they send. */
const ROTATE = String.raw`
$ curl \
    --header "X-Vault-Token: ..." \
    --request POST \
    http://127.0.0.1:8200/v1/sys/rotate`;
const CONFIGURE = String.raw`
$ curl \
    --request POST \
    --header "X-Vault-Token: ..." \
    --data @payload.json \
    http://127.0.0.1:8200/v1/sys/rotate/config`;
const READ_CONFIG = String.raw`
$ curl \
    --request GET \
    --header "X-Vault-Token: ..." \
    http://127.0.0.1:8200/v1/sys/rotate/config`;
const PAYLOAD = { max_operations: 2_000_000_000, interval: "4320h" };

const storage = (folder: string) => ["--storage", `file:${join(folder, "store")}`];

/** Runs a document's line as it stands, with the server's address and the token put in. */
async function curl(line: string, server: Server, token: string, cwd: string): Promise<string> {
  const command = line
    .replace("$ curl", "curl --silent --show-error --write-out '%{http_code}'")
    .replace("X-Vault-Token: ...", `X-Vault-Token: ${token}`)
    .replace("http://127.0.0.1:8200", server.url);
  const child = Bun.spawn(["sh", "-c", command], { cwd, stdin: "ignore", stderr: "inherit" });
  return new Response(child.stdout).text();
}

test("the documents' own requests do what they say, and a new process goes on from there", async () => {
  const folder = newFolder();
  writeFileSync(join(folder, "payload.json"), JSON.stringify(PAYLOAD));
  const set = { ...PAYLOAD, enabled: true };
  const answer = {
    lease_id: "",
    lease_duration: 0,
    renewable: false,
    data: set,
    warnings: null,
  };
  let [token, keys]: [string, readonly string[]] = ["", []];
  {
    await using server = await startServer({ args: storage(folder) });
    ({ token, keys } = await server.initAndUnseal());
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    await server.call("PUT", "kv/before", { token, body: { a: 1 } });
    expect(await curl(ROTATE, server, token, folder)).toBe("204");
    expect((await server.call("GET", "sys/key-status", { token })).body).toMatchObject({ data: { term: 2 } });
    expect((await server.call("GET", "kv/before", { token })).body["data"]).toEqual({ a: 1 });
    await server.call("PUT", "kv/after", { token, body: { a: 2 } });
    expect(await curl(CONFIGURE, server, token, folder)).toBe("204");
    const read = await curl(READ_CONFIG, server, token, folder);
    expect(read.slice(-3)).toBe("200");
    expect(JSON.parse(read.slice(0, -3))).toMatchObject(answer);
    expect(await curl(ROTATE, server, "s.000000000000000000000000", folder)).toEndWith("403");
    expect(await server.stop()).toBe(0);
  }
  await using server = await startServer({ args: storage(folder) });
  expect(await curl(ROTATE, server, token, folder)).toEndWith("503");
  await server.unseal(keys);
  expect((await server.call("GET", "sys/key-status", { token })).body).toMatchObject({ data: { term: 2 } });
  expect((await server.call("GET", "sys/rotate/config", { token })).body).toMatchObject(answer);
  for (const [name, a] of [
    ["before", 1],
    ["after", 2],
  ] as const) {
    expect((await server.call("GET", `kv/${name}`, { token })).body["data"]).toEqual({ a });
  }
}, 30_000);

/** What was acknowledged so far, and what was last sent. */
class Acknowledged {
  terms = 1;
  readonly entries = new Set<string>();
  /** The settings that were acknowledged, and those that may have been stored since. */
  settings: string[];
  readonly #random: () => number;
  #names = 0;

  constructor(keyring: VaultKeyring, random: () => number) {
    this.#random = random;
    this.settings = [settingsAfter(keyring, {})];
  }

  /** Rotates, configures and writes until the server is gone. */
  async load(server: Server, token: string): Promise<void> {
    const ask = async (method: string, path: string, body?: object) => {
      const { status, text } = await server.call(method, path, { token, ...(body && { body }) });
      if (status !== 204) throw new Error(`${method} ${path} answered ${status}: ${text}`);
    };
    const write = async () => {
      const name = String((this.#names += 1));
      await ask("PUT", `kv/${name}`, { name });
      this.entries.add(name);
    };
    const rotate = async () => {
      await ask("POST", "sys/rotate");
      this.terms += 1;
    };
    let turn = 0;
    const configure = async () => {
      turn += 1;
      const max_operations = 1_000_000 + Math.floor(this.#random() * 1e9);
      const change: Required<Change> = { max_operations, interval: 86_400 + turn, enabled: turn % 2 === 0 };
      const sent = settingsAfter(undefined, change);
      this.settings.push(sent);
      await ask("POST", "sys/rotate/config", change);
      this.settings = [sent];
    };
    const untilGone = async (act: () => Promise<void>) => {
      for (;;) await act();
    };
    const all = [write, write, write, write, write, write, rotate, configure].map(untilGone);
    const failures = (await Promise.allSettled(all)).map((end) =>
      end.status === "rejected" ? String(end.reason) : "",
    );
    // The connection breaks off when the server dies; an answer that it gave is another matter.
    expect(failures.filter((failure) => failure.includes("answered"))).toEqual([]);
  }
}

/** The store as the process left it: every entry opens under a term that is there and has counted it. */
async function inspect(folder: string, share: string): Promise<VaultKeyring> {
  await using driver = await openFile(join(folder, "store"), {
    fatal(error) {
      throw error;
    },
  });
  const raw = new Map<string, Uint8Array>();
  const walk = async (prefix: string): Promise<void> => {
    for (const child of await driver.list(prefix)) {
      if (child.endsWith("/")) await walk(prefix + child);
      else raw.set(prefix + child, (await driver.get(prefix + child)) ?? new Uint8Array());
    }
  };
  await walk("");
  const keyring = storedKeyring(raw, share);
  const found = new Map<number, number>();
  for (const [path, frame] of raw) {
    if (!path.startsWith("logical/")) continue;
    const { term } = splitFrame(frame);
    openFrame(keyring.keys[term - 1]?.value ?? new Uint8Array(), path, frame);
    found.set(term, (found.get(term) ?? 0) + 1);
  }
  for (const { term, encryptions } of keyring.keys) expect(encryptions).toBeGreaterThanOrEqual(found.get(term) ?? 0);
  return keyring;
}

describe("kill -9 while the server rotates, configures and writes", () => {
  test(
    `${KILLS} times: no term, setting or entry that was acknowledged is lost`,
    async () => {
      const folder = newFolder();
      let server = await startServer({ args: storage(folder) });
      const { token, keys } = await server.initAndUnseal(1, 1);
      const [share = ""] = keys;
      await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
      await server.stop();
      let keyring = await inspect(folder, share);
      const random = announceSeed();
      const done = new Acknowledged(keyring, random);
      for (let kill = 0; kill < KILLS; kill += 1) {
        server = await startServer({ args: storage(folder) });
        await server.unseal(keys);
        const load = done.load(server, token);
        await Bun.sleep(20 + random() * 150);
        await server.kill();
        await load;
        const found = await inspect(folder, share);
        expect(found.keys.length).toBeGreaterThanOrEqual(done.terms);
        expect(found.keys.slice(0, keyring.keys.length).map(({ value }) => value)).toEqual(
          keyring.keys.map(({ value }) => value),
        );
        expect(done.settings).toContain(settingsAfter(found, {}));
        // An unacknowledged change that has landed is what counts from now on.
        done.settings = [settingsAfter(found, {})];
        done.terms = found.keys.length;
        keyring = found;
      }
      server = await startServer({ args: storage(folder) });
      await server.unseal(keys);
      expect(done.entries.size).toBeGreaterThan(KILLS);
      expect(done.terms).toBeGreaterThan(KILLS);
      for (const name of done.entries) {
        expect((await server.call("GET", `kv/${name}`, { token })).body["data"]).toEqual({ name });
      }
      expect(await server.stop()).toBe(0);
      await inspect(folder, share);
    },
    KILLS * 10_000,
  );
});
