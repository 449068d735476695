/** Devices that are made over the API, where the configuration allows it: kept in the barrier, opened by every node. */
import { describe, expect, test } from "bun:test";
import type { AuditSettings } from "../core/audit/device.ts";
import { invalid } from "../core/errors.ts";
import { declare, type TestDevice, testDevice } from "./audit-device.ts";
import { Unknown } from "../storage/driver.ts";
import { memoryOver, startCoffer, type StartOptions, wrapDriver } from "./harness.ts";

/** The outside world: a device for every `file_path`. */
class Files {
  readonly devices = new Map<string, TestDevice>();
  /** Paths that cannot be opened. */
  readonly closed = new Set<string>();

  readonly open: AuditSettings["open"] = (_type, options) => {
    const path = options["file_path"] ?? "";
    if (this.closed.has(path)) return Promise.reject(invalid("sanity check failed"));
    const device = this.devices.get(path) ?? testDevice();
    this.devices.set(path, device);
    return Promise.resolve(device);
  };

  at(path: string): TestDevice {
    const device = this.devices.get(path);
    if (device === undefined) throw new Error(`nothing at ${path}`);
    return device;
  }
}

const made = (path: string) => ({ type: "file", description: "d", options: { file_path: path } });

function start(files: Files, options: StartOptions = {}, allowApi = true, declared = {}) {
  return startCoffer({ ...options, audit: { ...declare(declared), open: files.open, allowApi } });
}

describe("a device made over the API", () => {
  test("records, is listed, and is there again after a restart, with the same hashes", async () => {
    const files = new Files();
    const store = new Map<string, Uint8Array>();
    await using first = await start(files, { store });
    const { token, keys } = await first.initAndUnseal();
    expect((await first.call("PUT", "sys/audit/a", { token, body: made("/a") })).status).toBe(204);
    expect(files.at("/a").lines()[0]?.request.path).toBe("sys/audit/test");
    const input = { token, body: { input: "x" } };
    const { body } = await first.call("POST", "sys/audit-hash/a", input);
    await first[Symbol.asyncDispose]();
    expect(files.at("/a").closed).toBe(true);

    const others = new Files();
    await using again = await start(others, { store }, false);
    await again.unseal(keys);
    const list = await again.call("GET", "sys/audit", { token });
    expect(list.body["data"]).toEqual({ "a/": { path: "a/", local: false, ...made("/a") } });
    expect((await again.call("POST", "sys/audit-hash/a", input)).body["hash"]).toBe(body["hash"]);
    expect(others.at("/a").lines().at(-1)?.request.path).toBe("sys/audit-hash/a");
    const off = await again.call("DELETE", "sys/audit/a", { token });
    expect([off.status, off.text]).toEqual([400, expect.stringContaining("cannot disable audit device via API")]);
  });

  test("hashes with a salt of its own", async () => {
    const files = new Files();
    await using server = await start(files);
    const { token } = await server.initAndUnseal();
    for (const name of ["a", "b"]) await server.call("PUT", `sys/audit/${name}`, { token, body: made(`/${name}`) });
    const hashes = ["a", "b"].map(async (name) => {
      return (await server.call("POST", `sys/audit-hash/${name}`, { token, body: { input: "x" } })).body["hash"];
    });
    expect(new Set(await Promise.all(hashes)).size).toBe(2);
  });

  test("is closed when it is removed, and nobody waits for it", async () => {
    const files = new Files();
    const store = new Map<string, Uint8Array>();
    await using server = await start(files, { store });
    const { token } = await server.initAndUnseal();
    await server.call("PUT", "sys/audit/a", { token, body: made("/a") });
    expect([...store.keys()].filter((path) => path.startsWith("audit/"))).toHaveLength(1);
    expect((await server.call("DELETE", "sys/audit/a", { token })).status).toBe(204);
    expect(files.at("/a").closed).toBe(true);
    expect([...store.keys()].filter((path) => path.startsWith("audit/"))).toEqual([]);
    expect((await server.call("GET", "sys/audit", { token })).body["data"]).toEqual({});
  });

  test("that does not take a line is not made", async () => {
    const files = new Files();
    await using server = await start(files);
    const { token } = await server.initAndUnseal();
    const device = await files.open("file", { file_path: "/a" });
    (device as TestDevice).failing = () => true;
    const { status, text } = await server.call("PUT", "sys/audit/a", { token, body: made("/a") });
    expect([status, text]).toEqual([400, expect.stringContaining("audit backend failed test message")]);
    expect(files.at("/a").closed).toBe(true);
    expect((await server.call("GET", "sys/audit", { token })).body["data"]).toEqual({});
  });

  test("that cannot be opened after a restart fails until it is reopened", async () => {
    const files = new Files();
    const store = new Map<string, Uint8Array>();
    await using first = await start(files, { store });
    const { token, keys } = await first.initAndUnseal();
    await first.call("PUT", "sys/audit/a", { token, body: made("/a") });
    await first[Symbol.asyncDispose]();

    const others = new Files();
    others.closed.add("/a");
    await using again = await start(others, { store });
    await again.unseal(keys);
    expect((await again.call("GET", "sys/mounts", { token })).status).toBe(500);
    others.closed.clear();
    await again.reopenAudit();
    expect((await again.call("GET", "sys/mounts", { token })).status).toBe(200);
    expect(others.at("/a").lines()).toHaveLength(2);
  });

  test("that turns out to keep nothing when it is reopened stands in for nobody", async () => {
    const store = new Map<string, Uint8Array>();
    await using first = await start(new Files(), { store });
    const { token, keys } = await first.initAndUnseal();
    await first.call("PUT", "sys/audit/a", { token, body: made("/a") });
    await first[Symbol.asyncDispose]();

    const [others, declared] = [new Files(), testDevice()];
    others.devices.set("/a", Object.assign(testDevice(), { keepsNothing: true }));
    others.closed.add("/a");
    await using again = await start(others, { store }, true, { declared });
    await again.unseal(keys);
    others.closed.clear();
    await again.reopenAudit();
    declared.failing = () => true;
    expect((await again.call("GET", "sys/mounts", { token })).status).toBe(500);
  });

  test("records what another node is asked, too", async () => {
    const store = new Map<string, Uint8Array>();
    const [files, others] = [new Files(), new Files()];
    await using one = await start(files, { driver: memoryOver(store, false) });
    const { token, keys } = await one.initAndUnseal();
    await using two = await start(others, { driver: memoryOver(store, false) });
    await two.unseal(keys);
    await one.call("PUT", "sys/audit/a", { token, body: made("/a") });
    await two.call("GET", "sys/mounts", { token });
    expect(others.at("/a").lines()).toHaveLength(2);
    await one.call("DELETE", "sys/audit/a", { token });
    await two.call("GET", "sys/mounts", { token });
    expect(others.at("/a").closed).toBe(true);
    expect(others.at("/a").lines()).toHaveLength(2);
  });

  test("is one, of several that are made at one path at once", async () => {
    const files = new Files();
    await using server = await start(files);
    const { token } = await server.initAndUnseal();
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_none, index) =>
        server.call("PUT", "sys/audit/a", { token, body: made(`/${index}`) }),
      ),
    );
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(4);
    expect([...files.devices.values()].filter(({ closed }) => !closed)).toHaveLength(1);
  });
});

describe("a device of the configuration", () => {
  test("keeps its hashes over a restart, and is not removed over the API", async () => {
    const store = new Map<string, Uint8Array>();
    const input = { input: "x" };
    await using first = await start(new Files(), { store }, true, { main: testDevice() });
    const { token, keys } = await first.initAndUnseal();
    const before = await first.call("POST", "sys/audit-hash/main", { token, body: input });
    expect((await first.call("DELETE", "sys/audit/main", { token })).status).toBe(400);
    await first[Symbol.asyncDispose]();
    await using again = await start(new Files(), { store }, true, { other: testDevice(), main: testDevice() });
    await again.unseal(keys);
    const after = await again.call("POST", "sys/audit-hash/main", { token, body: input });
    expect(after.body["hash"]).toBe(before.body["hash"]);
    const other = await again.call("POST", "sys/audit-hash/other", { token, body: input });
    expect(other.body["hash"]).not.toBe(before.body["hash"]);
  });

  test("takes the place of one that was made over the API", async () => {
    const store = new Map<string, Uint8Array>();
    await using first = await start(new Files(), { store });
    const { token, keys } = await first.initAndUnseal();
    await first.call("PUT", "sys/audit/main", { token, body: made("/a") });
    await first[Symbol.asyncDispose]();
    const [files, device] = [new Files(), testDevice()];
    await using again = await start(files, { store }, true, { main: device });
    await again.unseal(keys);
    device.fresh();
    await again.call("GET", "sys/mounts", { token });
    expect(device.fresh()).toHaveLength(2);
    expect(files.devices.size).toBe(0);
  });
});

test("a disk that is full does not keep a server with a new device from being unsealed, or requests from being recorded", async () => {
  const store = new Map<string, Uint8Array>();
  await using first = await start(new Files(), { store });
  const { token, keys } = await first.initAndUnseal();
  await first[Symbol.asyncDispose]();
  const full = wrapDriver(memoryOver(store), (operation, key, act) => {
    const isNew = operation === "swap" && (key.startsWith("core/audit") || key.startsWith("audit/"));
    return isNew ? Promise.reject(new Unknown("the disk is full")) : act();
  });
  const device = testDevice();
  await using again = await start(new Files(), { driver: full }, true, { main: device });
  await again.unseal(keys);
  device.fresh();
  const { body } = await again.call("POST", "sys/audit-hash/main", { token, body: { input: "x" } });
  expect(body["hash"]).toMatch(/^hmac-sha256:/);
  expect(device.fresh()[0]?.request["data"]).toEqual({ input: body["hash"] });
  expect(again.log.lines.join("")).toContain("hashes hold until the seal");
});
