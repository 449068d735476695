import { describe, expect, test } from "bun:test";
import { gate } from "./barrier-store.ts";
import { forEveryCrash } from "./crash.ts";
import { Unknown } from "../storage/driver.ts";
import { type Answer, memoryOver, startCoffer, type TestServer, turns, wrapDriver } from "./harness.ts";

const SECRETS = ["a", "a/b", "a/b/c", "deep/er/still", "ü/日本", "z"];

function enable(server: TestServer, token: string, path: string, body: object = { type: "kv" }): Promise<Answer> {
  return server.call("POST", `sys/mounts/${path}`, { token, body });
}

function errorOf({ status, body }: Answer): [number, string] {
  return [status, String((body["errors"] as string[] | undefined)?.[0])];
}

/** The mounts that were made at run time, and the uuid of each. */
async function mountsOf(server: TestServer, token: string): Promise<Map<string, string>> {
  const { body } = await server.call("GET", "sys/mounts", { token });
  const data = body["data"] as Record<string, { type: string; uuid: string }>;
  return new Map(Object.entries(data).flatMap(([path, { type, uuid }]) => (type === "kv" ? [[path, uuid]] : [])));
}

/** A server with two mounts, `kv/` and `other/mount/`, and the same secrets in both. */
async function mountedServer() {
  const store = new Map<string, Uint8Array>();
  const server = await startCoffer({ store });
  const { keys, token } = await server.initAndUnseal();
  for (const mount of ["kv", "other/mount"]) {
    expect((await enable(server, token, mount)).status).toBe(204);
    for (const path of SECRETS)
      expect((await server.call("PUT", `${mount}/${encodeURI(path)}`, { token, body: { path } })).status).toBe(204);
  }
  return { store, server, keys, token };
}

async function readAll(server: TestServer, token: string, mount: string): Promise<number[]> {
  const answers = await Promise.all(
    SECRETS.map((path) => server.call("GET", `${mount}/${encodeURI(path)}`, { token })),
  );
  for (const [i, { status, body }] of answers.entries())
    if (status === 200) expect(body["data"]).toEqual({ path: SECRETS[i] });
  return answers.map(({ status }) => status);
}

function below(store: ReadonlyMap<string, Uint8Array>, uuid: string | undefined): string[] {
  return [...store.keys()].filter((path) => path.startsWith(`logical/${uuid}/`));
}

describe("disabling a mount", () => {
  test("deletes its data, and nothing else's", async () => {
    const { server, store, token } = await mountedServer();
    const uuids = await mountsOf(server, token);
    const others = new Map([...store].filter(([path]) => !path.startsWith("logical/") && path !== "core/mounts"));
    expect(below(store, uuids.get("kv/"))).toHaveLength(SECRETS.length);
    expect((await server.call("DELETE", "sys/mounts/kv", { token })).status).toBe(204);
    expect(below(store, uuids.get("kv/"))).toEqual([]);
    expect([...(await mountsOf(server, token)).keys()]).toEqual(["other/mount/"]);
    expect(await readAll(server, token, "kv")).toEqual(SECRETS.map(() => 404));
    expect(await readAll(server, token, "other/mount")).toEqual(SECRETS.map(() => 200));
    for (const [path, value] of others) if (path !== "core/keyring") expect(store.get(path)).toEqual(value);
  });

  test("makes it answer no more before the first of its data goes, and keeps its path until the last has gone", async () => {
    const store = new Map<string, Uint8Array>();
    const gated = gate(memoryOver(store));
    await using server = await startCoffer({ driver: gated.driver });
    const { token } = await server.initAndUnseal();
    await enable(server, token, "kv");
    await server.call("PUT", "kv/a", { token, body: { a: 1 } });
    gated.hold = (operation) => operation === "delete";
    const disabled = server.call("DELETE", "sys/mounts/kv", { token });
    await gated.waiting();
    for (const method of ["GET", "PUT", "DELETE", "LIST"])
      expect([
        method,
        (await server.call(method, "kv/a", { token, ...(method === "PUT" && { body: { a: 2 } }) })).status,
      ]).toEqual([method, 404]);
    expect(errorOf(await enable(server, token, "kv"))).toEqual([400, "path is already in use at kv/"]);
    gated.open();
    expect((await disabled).status).toBe(204);
    expect((await enable(server, token, "kv")).status).toBe(204);
  });

  test("waits for a write that is under way, and leaves nothing of it behind", async () => {
    const store = new Map<string, Uint8Array>();
    const gated = gate(memoryOver(store));
    await using server = await startCoffer({ driver: gated.driver });
    const { token } = await server.initAndUnseal();
    await enable(server, token, "kv");
    const uuid = (await mountsOf(server, token)).get("kv/");
    gated.hold = (operation, key) => operation === "put" && key.startsWith(`logical/${uuid}/`);
    const written = server.call("PUT", "kv/a", { token, body: { a: 1 } });
    await gated.waiting();
    const disabled = server.call("DELETE", "sys/mounts/kv", { token });
    // Whatever does not wait for the write is over after a few turns.
    const first = await Promise.race([disabled.then(() => "disabled"), turns(20).then(() => "waiting")]);
    gated.open();
    expect([first, (await written).status, (await disabled).status]).toEqual(["waiting", 204, 204]);
    expect(below(store, uuid)).toEqual([]);
  });

  test("is not undone by a request that read the table before, and got it late", async () => {
    const store = new Map<string, Uint8Array>();
    const [asked, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let isLate = false;
    const driver = wrapDriver(memoryOver(store, false), async (operation, key, act) => {
      const result = await act();
      if (isLate && operation === "get" && key === "core/mounts") {
        isLate = false;
        asked.resolve();
        await late.promise;
      }
      return result;
    });
    await using server = await startCoffer({ driver });
    const { token } = await server.initAndUnseal();
    await enable(server, token, "kv");
    const uuid = (await mountsOf(server, token)).get("kv/");
    isLate = true;
    const written = server.call("PUT", "kv/a", { token, body: { a: 1 } });
    await asked.promise;
    expect((await server.call("DELETE", "sys/mounts/kv", { token })).status).toBe(204);
    late.resolve();
    expect((await written).status).toBe(404);
    expect(below(store, uuid)).toEqual([]);
  });

  test("frees its path for another mount, which is empty", async () => {
    const { server, token } = await mountedServer();
    const uuid = (await mountsOf(server, token)).get("kv/");
    await server.call("DELETE", "sys/mounts/kv", { token });
    expect((await enable(server, token, "kv")).status).toBe(204);
    expect((await mountsOf(server, token)).get("kv/") === uuid).toBe(false);
    expect(await readAll(server, token, "kv")).toEqual(SECRETS.map(() => 404));
  });

  test("twice, or where nothing is mounted, or by many at once is no error", async () => {
    const { server, token } = await mountedServer();
    const disable = (path: string) => server.call("DELETE", `sys/mounts/${path}`, { token });
    const answers = await Promise.all(["kv", "kv", "kv", "nothing"].map(disable));
    expect([...answers, await disable("kv")].map(({ status }) => status)).toEqual(Array(5).fill(204));
  });

  test.each(["sys", "auth/token", "cubbyhole", "identity", "audit"])("is refused for %s", async (path) => {
    const { server, token } = await mountedServer();
    expect(errorOf(await server.call("DELETE", `sys/mounts/${path}`, { token }))).toEqual([
      400,
      `cannot unmount "${path}/"`,
    ]);
  });

  test("cut off by a crash at any operation is finished by the next unseal, or had not begun", async () => {
    const { server, store, keys, token } = await mountedServer();
    const uuid = (await mountsOf(server, token)).get("kv/");
    await server[Symbol.asyncDispose]();
    const seen = { finished: 0, untouched: 0 };
    const crashes = await forEveryCrash(
      store,
      async (driver, arm) => {
        const mortal = await startCoffer({ driver });
        await mortal.unseal(keys);
        arm();
        const answer = await mortal.call("DELETE", "sys/mounts/kv", { token });
        if (answer.status !== 204) throw new Error(answer.text);
      },
      async ({ store: left, acknowledged, name }) => {
        await using next = await startCoffer({ driver: memoryOver(left) });
        await next.unseal(keys);
        const isMounted = (await mountsOf(next, token)).has("kv/");
        if (acknowledged) expect([name, isMounted]).toEqual([name, false]);
        expect([name, await readAll(next, token, "kv")]).toEqual([name, SECRETS.map(() => (isMounted ? 200 : 404))]);
        expect([name, below(left, uuid).length]).toEqual([name, isMounted ? SECRETS.length : 0]);
        expect([name, await readAll(next, token, "other/mount")]).toEqual([name, SECRETS.map(() => 200)]);
        expect([name, (await enable(next, token, "kv")).status]).toEqual([name, isMounted ? 400 : 204]);
        seen[isMounted ? "untouched" : "finished"] += 1;
      },
    );
    expect(crashes).toBeGreaterThan(20);
    expect(seen.untouched).toBeGreaterThan(0);
    expect(seen.finished).toBeGreaterThan(20);
  });
});

test("data of a disabled mount that a full disk keeps does not keep the server sealed", async () => {
  const { server, store, keys, token } = await mountedServer();
  await server[Symbol.asyncDispose]();
  let isFull = false;
  const driver = wrapDriver(memoryOver(store), async (operation, _key, act) => {
    if (isFull && operation !== "get" && operation !== "list") throw new Unknown("the disk is full");
    return act();
  });
  await using first = await startCoffer({ driver });
  await first.unseal(keys);
  let deleted = 0;
  const failing = wrapDriver(driver, async (operation, _key, act) => {
    if (operation === "delete" && (deleted += 1) > 1) isFull = true;
    return act();
  });
  {
    await using cut = await startCoffer({ driver: failing });
    await cut.unseal(keys);
    expect((await cut.call("DELETE", "sys/mounts/kv", { token })).status).toBe(500);
  }
  await using next = await startCoffer({ driver });
  await next.unseal(keys);
  expect(await readAll(next, token, "kv")).toEqual(SECRETS.map(() => 404));
  expect(await readAll(next, token, "other/mount")).toEqual(SECRETS.map(() => 200));
  expect(next.log.lines.join("\n")).toContain("could not all be deleted yet");
  isFull = false;
  await using last = await startCoffer({ driver });
  await last.unseal(keys);
  expect((await enable(last, token, "kv")).status).toBe(204);
});

describe("enabling mounts", () => {
  for (const nodes of [1, 2]) {
    test(`on one path, many at once on ${nodes} nodes: one wins`, async () => {
      const store = new Map<string, Uint8Array>();
      const servers = await Promise.all(Array.from({ length: nodes }, () => startCoffer({ store })));
      const [first] = servers;
      if (first === undefined) throw new Error("no server");
      const { keys, token } = await first.initAndUnseal();
      for (const other of servers.slice(1)) await other.unseal(keys);
      const paths = ["kv", "kv/below", "kv", "kv/below/deeper", "kv", "kv"];
      const answers = await Promise.all(servers.flatMap((server) => paths.map((path) => enable(server, token, path))));
      expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
      const made = await Promise.all(servers.map((server) => mountsOf(server, token)));
      expect(made.map(({ size }) => size)).toEqual(servers.map(() => 1));
      const [path = ""] = made[0]?.keys() ?? [];
      for (const answer of answers.filter(({ status }) => status !== 204))
        expect(errorOf(answer)).toEqual([400, `path is already in use at ${path}`]);
      for (const server of servers) await server[Symbol.asyncDispose]();
    });
  }

  test("on many paths at once: none is lost", async () => {
    const store = new Map<string, Uint8Array>();
    await using one = await startCoffer({ store });
    await using two = await startCoffer({ store });
    const { keys, token } = await one.initAndUnseal();
    await two.unseal(keys);
    const paths = Array.from({ length: 40 }, (_, i) => `m${i}`);
    const answers = await Promise.all(paths.map((path, i) => enable(i % 2 === 0 ? one : two, token, path)));
    expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 204));
    for (const server of [one, two])
      expect(new Set((await mountsOf(server, token)).keys())).toEqual(new Set(paths.map((path) => `${path}/`)));
  });

  const refused: Record<string, [string, object, string]> = {
    "an unknown type": [
      "x",
      { type: "unheard-of" },
      'plugin not found in the catalog: "type" names no engine of this server',
    ],
    "no type": ["x", {}, "backend type must be specified as a string"],
    "a version that is not there": [
      "x",
      { type: "kv", options: { version: "9" } },
      'this version of "kv" is not supported',
    ],
    "a path of the system": ["sys/x", { type: "kv" }, 'cannot mount "sys/x/"'],
  };
  for (const [what, [path, body, why]] of Object.entries(refused)) {
    test(`is refused for ${what}, and changes nothing`, async () => {
      const { server, store, token } = await mountedServer();
      const before = new Map(store);
      const [status, text] = errorOf(await enable(server, token, path, body));
      expect([status, text]).toEqual([400, expect.stringContaining(why)]);
      expect(store).toEqual(before);
    });
  }

  test("outlives a restart, with its settings", async () => {
    const { server, store, keys, token } = await mountedServer();
    const tuned = { description: "mine", default_lease_ttl: 60, max_lease_ttl: "2h" };
    expect((await server.call("POST", "sys/mounts/kv/tune", { token, body: tuned })).status).toBe(204);
    const before = (await server.call("GET", "sys/mounts", { token })).body["data"];
    await server[Symbol.asyncDispose]();
    await using next = await startCoffer({ store });
    await next.unseal(keys);
    expect((await next.call("GET", "sys/mounts", { token })).body["data"]).toEqual(before);
    expect((await next.call("GET", "kv/a", { token })).body).toMatchObject({ lease_duration: 60, data: { path: "a" } });
  });
});
