/** `sys/rotate`, `sys/rotate/config` and rotation by itself, on servers in this process. */
import { describe, expect, test } from "bun:test";
import { KEYRING_PATH, openKeyring, sealKeyring } from "../core/barrier/keyring.ts";
import { Unknown } from "../storage/driver.ts";
import { turns } from "./harness.ts";
import { aroundSwaps, start } from "./rotation-server.ts";
import { rootKeyOf } from "./stored-keyring.ts";

const DEFAULT = { max_operations: 3_865_470_566, interval: "", enabled: true };

describe("rotate", () => {
  test.each(["sys/rotate", "sys/rotate/keyring"])("%s adds a term; old values stay readable", async (path) => {
    await using server = await start();
    for (const [index, method] of ["POST", "PUT", "POST"].entries()) {
      await server.put(`before-${index}`);
      const { status, text } = await server.ask(method, path);
      expect([status, text]).toEqual([204, ""]);
      expect(await server.status()).toMatchObject({ term: index + 2, encryptions: 0 });
      await server.put(`after-${index}`);
      expect([server.termOf(`before-${index}`), server.termOf(`after-${index}`)]).toEqual([index + 1, index + 2]);
    }
    for (const name of ["before-0", "after-0", "before-2", "after-2"])
      expect(await server.read(name)).toEqual({ name });
  });

  test("gives the new term the time of its making, and leaves the former ones their counts", async () => {
    await using server = await start();
    const first = server.keyring().keys[0];
    server.clock.advance(1234);
    await server.ask("POST", "sys/rotate");
    expect(server.keyring().keys[0]).toEqual(first as never);
    expect(await server.status()).toMatchObject({ install_time: "2026-01-01T00:00:01.234Z" });
  });

  test("lets reads and writes go on while it is stored", async () => {
    const hold = { before: undefined as (() => Promise<void>) | undefined };
    await using server = await start({ driver: aroundSwaps({ before: () => hold.before?.() }) });
    await server.put("a");
    const gate = Promise.withResolvers<void>();
    hold.before = () => gate.promise;
    const rotated = server.ask("POST", "sys/rotate");
    for (let i = 0; i < 20; i += 1) await server.put(`b-${i}`);
    expect(await server.read("a")).toEqual({ name: "a" });
    expect(server.termOf("b-19")).toBe(1);
    gate.resolve();
    expect((await rotated).status).toBe(204);
    await server.put("c");
    expect(server.termOf("c")).toBe(2);
  });

  test("at once by many: each answers 204, and what follows is under a new term", async () => {
    await using server = await start();
    const answers = await Promise.all(Array.from({ length: 30 }, () => server.ask("POST", "sys/rotate")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]));
    const { term } = await server.status();
    expect(term).toBeGreaterThan(1);
    expect(term).toBeLessThanOrEqual(31);
    await server.put("a");
    expect(server.termOf("a")).toBe(term);
  });

  test("meant for a term that another server has replaced meanwhile adds none", async () => {
    const hold = { before: undefined as (() => Promise<void>) | undefined };
    await using server = await start({ driver: aroundSwaps({ before: () => hold.before?.() }) });
    await using other = await server.beside();
    const [arrived, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    hold.before = () => {
      hold.before = undefined;
      arrived.resolve();
      return gate.promise;
    };
    const rotated = server.ask("POST", "sys/rotate");
    await arrived.promise;
    expect((await other.call("POST", "sys/rotate", { token: server.known.token })).status).toBe(204);
    gate.resolve();
    expect((await rotated).status).toBe(204);
    expect(server.keyring().keys).toHaveLength(2);
    await server.put("a");
    expect(server.termOf("a")).toBe(2);
  });

  test("is refused without a token, by other verbs, while sealed, and with a body that is no JSON", async () => {
    await using server = await start();
    const refusals = await Promise.all([
      server.ask("POST", "sys/rotate", undefined, { token: "" }),
      server.ask("POST", "sys/rotate", undefined, { token: "s.000000000000000000000000" }),
      server.ask("GET", "sys/rotate"),
      server.ask("DELETE", "sys/rotate"),
      server.ask("POST", "sys/rotate/foo"),
      server.ask("POST", "sys/rotate", "{"),
    ]);
    expect(refusals.map(({ status }) => status)).toEqual([403, 403, 405, 405, 404, 400]);
    await server.ask("PUT", "sys/seal");
    for (const path of ["sys/rotate", "sys/rotate/keyring"]) {
      expect(await server.ask("POST", path)).toMatchObject({ status: 503, body: { errors: ["Vault is sealed"] } });
    }
    expect(server.keyring().keys).toHaveLength(1);
  });

  test.each([true, false])("whose outcome is unknown (done: %p) is a 500, and everything goes on", async (isDone) => {
    let isUnknown = false;
    const hook = () => {
      if (!isUnknown) return;
      isUnknown = false;
      throw new Unknown("the connection was lost");
    };
    await using server = await start({ driver: aroundSwaps(isDone ? { after: hook } : { before: hook }) });
    await server.put("a");
    isUnknown = true;
    expect((await server.ask("POST", "sys/rotate")).status).toBe(500);
    expect(server.keyring().keys).toHaveLength(isDone ? 2 : 1);
    await server.put("b");
    expect((await server.ask("POST", "sys/rotate")).status).toBe(204);
    await server.put("c");
    expect(server.termOf("c")).toBe(isDone ? 3 : 2);
    for (const name of ["a", "b", "c"]) expect(await server.read(name)).toEqual({ name });
  });

  test("that fails fails no write that waits for encryptions meanwhile", async () => {
    const gate = Promise.withResolvers<void>();
    const fail = async () => {
      hook.before = () => undefined;
      await gate.promise;
      throw new Unknown("the connection was lost");
    };
    const hook: { before: () => Promise<void> | void } = { before: () => undefined };
    await using server = await start({ driver: aroundSwaps({ before: () => hook.before() }) });
    hook.before = fail;
    const rotated = server.ask("POST", "sys/rotate");
    const writes = Array.from({ length: 200 }, (_, i) => server.put(`w-${i}`));
    await turns(50);
    gate.resolve();
    expect((await rotated).status).toBe(500);
    await Promise.all(writes);
  });

  test("by settings is not undone by a reservation that is answered late", async () => {
    const hook: { after: () => Promise<void> | void } = { after: () => undefined };
    await using server = await start({ driver: aroundSwaps({ after: () => hook.after() }) });
    await server.ask("PUT", "sys/seal");
    await server.unseal(server.known.keys);
    const [reserved, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    hook.after = () => {
      hook.after = () => undefined;
      reserved.resolve();
      return answer.promise;
    };
    const put = server.put("a");
    await reserved.promise;
    await server.configure({ max_operations: 10 });
    answer.resolve();
    await put;
    await server.put("b");
    expect([server.termOf("a"), server.termOf("b")]).toEqual([2, 2]);
  });
});

describe("rotate/config", () => {
  test("answers Vault's defaults at both paths", async () => {
    await using server = await start();
    for (const path of ["sys/rotate/config", "sys/rotate/keyring/config"]) {
      const { status, body } = await server.ask("GET", path);
      expect(status).toBe(200);
      expect(body).toMatchObject({ data: DEFAULT, lease_id: "", renewable: false, lease_duration: 0, warnings: null });
      expect(body).not.toHaveProperty("max_operations");
    }
  });

  test.each([
    [
      { max_operations: 2_000_000_000, interval: "4320h" },
      { max_operations: 2_000_000_000, interval: "4320h" },
    ],
    [{ max_operations: 1_000_000 }, { max_operations: 1_000_000 }],
    [{ max_operations: 3_865_470_566 }, {}],
    [{ max_operations: "2000000" }, { max_operations: 2_000_000 }],
    [{ interval: 86_400 }, { interval: "24h" }],
    [{ interval: "90000" }, { interval: "25h" }],
    [{ interval: "24h0m1s" }, { interval: "24h1s" }],
    [{ interval: "1441m" }, { interval: "24h1m" }],
    [{ interval: "30d" }, { interval: "720h" }],
    [{ interval: "24h0m0.5s" }, { interval: "24h" }],
    [{ interval: "1854797h0m29s" }, { interval: "1854797h29s" }],
    [{ interval: 0 }, {}],
    [{ interval: "" }, {}],
    [{ interval: null }, {}],
    [{ enabled: false }, { enabled: false }],
    [{ enabled: "false" }, { enabled: false }],
    [{ unknown: 1 }, {}],
    [{}, {}],
  ])("takes %j", async (body, changed) => {
    await using server = await start({ minOperations: 1_000_000 });
    expect(await server.ask("POST", "sys/rotate/config", body)).toMatchObject({ status: 204, text: "" });
    expect(await server.config()).toEqual({ ...DEFAULT, ...changed });
  });

  test("keeps what is not sent, and unsets an interval", async () => {
    await using server = await start();
    const steps = [
      [{ max_operations: 2_000_000 }, { max_operations: 2_000_000 }],
      [{ interval: "48h" }, { max_operations: 2_000_000, interval: "48h" }],
      [{ enabled: false }, { max_operations: 2_000_000, interval: "48h", enabled: false }],
      [{ interval: 0 }, { max_operations: 2_000_000, enabled: false }],
      [{ enabled: true }, { max_operations: 2_000_000 }],
    ] as const;
    for (const [index, [body, changed]] of steps.entries()) {
      const path = index % 2 === 0 ? "sys/rotate/config" : "sys/rotate/keyring/config";
      expect((await server.ask(index % 2 === 0 ? "PUT" : "POST", path, body)).status).toBe(204);
      expect(await server.config()).toEqual({ ...DEFAULT, ...changed });
    }
  });

  test("survives rotation, sealing and a new server", async () => {
    await using server = await start();
    await server.configure({ max_operations: 2_000_000, interval: "4320h", enabled: false });
    const set = { max_operations: 2_000_000, interval: "4320h", enabled: false };
    await server.ask("POST", "sys/rotate");
    expect(await server.config()).toEqual(set);
    await server.ask("PUT", "sys/seal");
    await server.unseal(server.known.keys);
    expect(await server.config()).toEqual(set);
    await using other = await server.beside();
    const { body } = await other.call("GET", "sys/rotate/config", { token: server.known.token });
    expect(body).toMatchObject({ data: set });
  });

  const field = (name: string, tail: string) =>
    `Field validation failed: error converting input for field "${name}": ${tail}`;
  const range = "max_operations must be in the range [1000000,3865470566]";
  const short = "interval must be greater or equal to 24h0m0s";
  const noInteger = field("max_operations", "'' cannot parse value as 'int64': strconv.ParseInt: invalid syntax");
  test.each([
    [{ max_operations: 0 }, range],
    [{ max_operations: null }, range],
    [{ max_operations: 999_999 }, range],
    [{ max_operations: 3_865_470_567 }, range],
    [{ max_operations: -1 }, range],
    [{ max_operations: 1.5 }, noInteger],
    [{ max_operations: "x" }, noInteger],
    [{ interval: "1h" }, short],
    [{ interval: "23h59m59s" }, short],
    [{ interval: 86_399 }, short],
    [{ interval: "0.5s", max_operations: 5 }, short],
    [{ interval: "1h", max_operations: 5 }, short],
    [{ interval: "-24h" }, field("interval", "cannot provide negative value")],
    [{ interval: "-500ms" }, field("interval", "cannot provide negative value")],
    [{ interval: "500ms" }, short],
    [{ interval: "1ns" }, short],
    [{ interval: -1 }, field("interval", "cannot provide negative value")],
    [{ interval: "abc" }, field("interval", "time: invalid duration")],
    [{ interval: 1e300 }, expect.stringContaining('field "interval": time: ')],
    [{ interval: "300y" }, field("interval", "time: unknown unit in duration")],
    [{ interval: 9_223_372_037 }, expect.stringContaining('field "interval": ')],
    [{ enabled: "perhaps" }, field("enabled", "'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax")],
    [{ max_operations: 2_000_000, interval: "1h", enabled: false }, short],
    [{ max_operations: 5, interval: "48h", enabled: false }, range],
  ])("refuses %j, and changes nothing", async (body, message) => {
    await using server = await start({ minOperations: 1_000_000 });
    await server.configure({ interval: "48h" });
    const before = server.store.get(KEYRING_PATH);
    for (const path of ["sys/rotate/config", "sys/rotate/keyring/config"]) {
      const answer = await server.ask("POST", path, body);
      expect(answer).toMatchObject({ status: 400, body: { errors: [message] } });
    }
    expect(server.store.get(KEYRING_PATH)).toEqual(before as never);
    await server.ask("PUT", "sys/seal");
    expect((await server.ask("POST", "sys/rotate/config", body)).status).toBe(503);
  });

  test("reads settings out of bounds, which another server may have stored, as that one does", async () => {
    await using server = await start({ minOperations: 1_000_000 });
    const rootKey = rootKeyOf(server.store, server.share);
    const stored = [
      [{ enabled: true, maxOperations: 0, interval: 3600 }, { interval: "24h" }],
      [{ enabled: true, maxOperations: 2 ** 40, interval: 0 }, {}],
      [
        { enabled: false, maxOperations: 5, interval: 0 },
        { max_operations: 1_000_000, enabled: false },
      ],
    ] as const;
    for (const [rotation, read] of stored) {
      await server.ask("PUT", "sys/seal");
      const keyring = openKeyring(rootKey, server.store.get(KEYRING_PATH) ?? new Uint8Array());
      server.store.set(KEYRING_PATH, sealKeyring({ ...keyring, rotation }));
      await server.unseal(server.known.keys);
      expect(await server.config()).toEqual({ ...DEFAULT, ...read });
      for (let i = 0; i < 100; i += 1) await server.put(`a-${i}`);
      expect(server.keyring().keys).toHaveLength(1);
    }
  });
});
