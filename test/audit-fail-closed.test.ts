/** When devices fail: nothing is done, or told, that was not recorded; one device that works is enough. */
import { afterEach, describe, expect, test } from "bun:test";
import type { AuditDevice } from "../core/audit/device.ts";
import { openAuditDevice } from "../cli/audit/open.ts";
import { declare, testDevice } from "./audit-device.ts";
import { startCoffer } from "./harness.ts";

const REFUSED: (number | string)[] = [500, '{"errors":["internal error"]}\n'];

/** `others` are declared before those that are counted. */
async function openServer(count: number, others: Readonly<Record<string, AuditDevice>> = {}) {
  const devices = Array.from({ length: count }, testDevice);
  const numbered = Object.fromEntries(devices.map((device, index) => [`d${index}`, device]));
  const audit = declare({ ...others, ...numbered });
  const server = await startCoffer({ audit });
  const { token, keys } = await server.initAndUnseal();
  await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
  const put = async (path: string) => {
    const { status, text } = await server.call("PUT", `kv/${path}`, { token, body: { value: "v" } });
    return [status, text];
  };
  const isThere = async (path: string) => (await server.call("GET", `kv/${path}`, { token })).status === 200;
  return { server, devices, token, keys, put, isThere };
}

describe("a device that fails", () => {
  test("before: the request is not carried out", async () => {
    const { server, devices, put, isThere } = await openServer(1);
    await using _ = server;
    for (const device of devices) device.failing = ({ type }) => type === "request";
    expect(await put("a")).toEqual(REFUSED);
    for (const device of devices) device.failing = () => false;
    expect(await isThere("a")).toBe(false);
    expect(await put("a")).toEqual([204, ""]);
  });

  test("after: the client is told nothing of what was done", async () => {
    const { server, devices, token, put, isThere } = await openServer(1);
    await using _ = server;
    for (const device of devices) device.failing = ({ type }) => type === "response";
    expect(await put("a")).toEqual(REFUSED);
    const { status, text } = await server.call("GET", "kv/a", { token });
    expect([status, text]).toEqual(REFUSED);
    for (const device of devices) device.failing = () => false;
    expect(await isThere("a")).toBe(true);
  });

  test("beside one that works is told of in the log, once, and when it works again", async () => {
    const { server, devices, put } = await openServer(2);
    await using _ = server;
    const [bad, good] = devices;
    if (bad === undefined || good === undefined) throw new Error("no devices");
    bad.failing = () => true;
    good.fresh();
    expect(await put("a")).toEqual([204, ""]);
    expect(await put("b")).toEqual([204, ""]);
    expect(good.fresh()).toHaveLength(4);
    bad.failing = () => false;
    expect(await put("c")).toEqual([204, ""]);
    const said = server.log.lines.filter((line) => line.includes("audit device"));
    expect(said.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
      "an audit device fails",
      "the audit device works again",
    ]);
  });

  test("beside another that fails leaves nobody to record", async () => {
    const { server, devices, put, isThere } = await openServer(3);
    await using _ = server;
    for (const device of devices) device.failing = () => true;
    expect(await put("a")).toEqual(REFUSED);
    for (const device of devices) device.failing = () => false;
    expect(await isThere("a")).toBe(false);
  });

  test("does not let a server be sealed, unsealed or initialised", async () => {
    const { server, devices, token, keys } = await openServer(1);
    await using _ = server;
    const fail = (is: boolean) => {
      for (const device of devices) device.failing = () => is;
    };
    const isSealed = async () => (await server.call("GET", "sys/seal-status")).body["sealed"];
    fail(true);
    const seal = await server.call("PUT", "sys/seal", { token });
    expect([seal.status, seal.text]).toEqual(REFUSED);
    expect(await isSealed()).toBe(false);
    fail(false);
    await server.call("PUT", "sys/seal", { token });
    fail(true);
    const unseal = await server.call("PUT", "sys/unseal", { body: { key: keys[0] } });
    expect([unseal.status, unseal.text]).toEqual(REFUSED);
    expect((await server.call("GET", "sys/seal-status")).body["progress"]).toBe(0);
  });
});

describe("a device that keeps nothing", () => {
  const opened: AuditDevice[] = [];
  const open = async (file_path: string) => {
    const device = await openAuditDevice("file", { file_path });
    opened.push(device);
    return device;
  };
  afterEach(async () => {
    for (const device of opened.splice(0)) await device.close();
  });

  test.each([
    ["discard", "request"],
    ["discard", "response"],
    ["/dev/null", "request"],
    ["/dev/null", "response"],
  ] as const)("as %s does not stand in for one that fails at the %s", async (path, failing) => {
    const { server, devices, put, isThere } = await openServer(2, { nothing: await open(path) });
    await using _ = server;
    for (const device of devices) device.failing = ({ type }) => type === failing;
    expect(await put("a")).toEqual(REFUSED);
    for (const device of devices) device.failing = () => false;
    expect(await isThere("a")).toBe(failing === "response");
  });

  test.each(["discard", "/dev/null"])("as %s is no hindrance to one that works, and enough alone", async (path) => {
    for (const count of [0, 1]) {
      const { server, put, isThere } = await openServer(count, { nothing: await open(path) });
      await using _ = server;
      expect(await put("a")).toEqual([204, ""]);
      expect(await isThere("a")).toBe(true);
    }
  });
});

test("a device that never answers delays nobody as long as another works", async () => {
  const { server, devices, put } = await openServer(2);
  await using _ = server;
  const [stuck] = devices;
  if (stuck === undefined) throw new Error("no device");
  stuck.write = () => new Promise(() => undefined);
  expect(await put("a")).toEqual([204, ""]);
});

test("requests stand in every device in one order, and each before its answer", async () => {
  const { server, devices, put } = await openServer(2);
  await using _ = server;
  for (const device of devices) device.fresh();
  await Promise.all(Array.from({ length: 50 }, (_none, index) => put(`many/${index}`)));
  const [first = [], second = []] = devices.map((device) =>
    device.fresh().map(({ type, request }) => `${type} ${request.id}`),
  );
  expect(first).toHaveLength(100);
  expect(second).toEqual(first);
  for (const [index, line] of first.entries()) {
    if (line.startsWith("response")) expect(first.indexOf(line.replace("response", "request"))).toBeLessThan(index);
  }
});

test("what is refused before the token is looked at is not recorded", async () => {
  const { server, devices, token } = await openServer(1);
  await using _ = server;
  for (const device of devices) device.fresh();
  const answers = [
    await server.call("PUT", "kv/a", { token, body: "{" }),
    await server.call("PUT", "kv/a/", { token, body: {} }),
    await server.call("GET", "kv//a", { token }),
    await server.call("GET", "kv/a", { token, headers: { "x-vault-wrap-ttl": "60" } }),
    await server.call("PUT", "sys/generate-share/update", { body: { key: "x".repeat(70_000) } }),
    await server.call("POST", "sys/health", { body: {} }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 413, 405]);
  await server.call("PUT", "sys/seal", { token });
  for (const device of devices) device.fresh();
  expect((await server.call("GET", "kv/a", { token })).status).toBe(503);
  expect(devices.flatMap((device) => device.fresh())).toEqual([]);
});
