/** How often an address may be wrong: the count itself, and the requests that it refuses. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { bucketOf } from "../core/access/peer-bucket.ts";
import { Refusals } from "../core/access/refusals.ts";
import { utf8 } from "../core/encoding.ts";
import { ApiError } from "../core/errors.ts";
import { declare, testDevice } from "./audit-device.ts";
import { newFolder, startServer } from "./executable.ts";
import { openMemory } from "../storage/memory.ts";
import { type Answer, runs, startCoffer, type TestServer, wrapDriver } from "./harness.ts";
import { fileOf } from "./cli/spawn.ts";

const MINUTE = 60_000;
const TEXT = "too many refused tokens or key shares from this address: try again later";

/** Seconds to wait; undefined when the address is let in. */
function waitOf(refusals: Refusals, address: string): number | undefined {
  try {
    refusals.check(address);
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && error.code === "too-many-refusals") return error.retryAfter;
    throw error;
  }
}

describe("the count of refusals", () => {
  const limited = fc.record({
    limit: fc.integer({ min: 1, max: 8 }),
    start: fc.integer({ min: -200_000, max: 200_000 }),
    steps: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20_000 })), { maxLength: 200 }),
  });

  test("lets no address be wrong more often than it may in any minute, and forgives after 65 seconds at the latest", () => {
    fc.assert(
      fc.property(limited, ({ limit, start, steps }) => {
        let now = start;
        const refusals = new Refusals(limit, () => now);
        const counted: number[] = [];
        for (const step of steps) {
          now += step;
          const recent = counted.filter((at) => at > now - MINUTE - 5000).length;
          if (waitOf(refusals, "a") !== undefined) {
            expect(recent).toBeGreaterThanOrEqual(limit);
            continue;
          }
          refusals.count("a");
          counted.push(now);
          expect(counted.filter((at) => at > now - MINUTE).length).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: runs(300) },
    );
  });

  test("says after how many seconds the address is let in again: not before, and then for certain", () => {
    fc.assert(
      fc.property(limited, ({ limit, start, steps }) => {
        let now = start;
        const refusals = new Refusals(limit, () => now);
        for (const step of steps) {
          now += step;
          const wait = waitOf(refusals, "a");
          if (wait === undefined) {
            refusals.count("a");
            continue;
          }
          const [asked, second] = [now, wait];
          now = asked + (second - 1) * 1000 - 1;
          if (second > 1) expect(waitOf(refusals, "a")).toBeDefined();
          now = asked + second * 1000;
          expect(waitOf(refusals, "a")).toBeUndefined();
        }
      }),
      { numRuns: runs(300) },
    );
  });

  test("keeps addresses apart", () => {
    const refusals = new Refusals(1, () => 0);
    refusals.count("192.0.2.1");
    expect(waitOf(refusals, "192.0.2.1")).toBe(65);
    expect(waitOf(refusals, "192.0.2.2")).toBeUndefined();
  });

  test("is kept for ten thousand addresses at most, the latest, and for a minute only", () => {
    let now = 0;
    const refusals = new Refusals(1, () => now);
    refusals.count("first");
    for (let other = 0; other < 9999; other += 1) refusals.count(`10.0.${other >> 8}.${other & 255}`);
    expect({ size: refusals.size, wait: waitOf(refusals, "first") }).toEqual({ size: 10_000, wait: 65 });
    refusals.count("one more");
    expect({ size: refusals.size, wait: waitOf(refusals, "first") }).toEqual({ size: 10_000, wait: undefined });
    now += MINUTE + 5000;
    refusals.count("later");
    expect(refusals.size).toBe(1);
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::FFFF:192.0.2.7", "192.0.2.7"],
  ["::ffff:c000:0207", "192.0.2.7"],
  ["::ffff:c000:207", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:0db8:0001:0002::", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:0::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["1::2:3:4:5:6:7", "1:0:2:3::/64"],
  [undefined, "unknown"],
  ["", "unknown"],
])("the address %p counts under %s", (address, bucket) => expect(bucketOf(address)).toBe(bucket));

/** A body whose end waits for `end`. */
function slowBody(): { readonly stream: ReadableStream<Uint8Array>; end(): void } {
  const end = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(utf8("{"));
      await end.promise;
      controller.enqueue(utf8("}"));
      controller.close();
    },
  });
  return { stream, end: end.resolve };
}

describe("a request from an address that has been wrong too often", () => {
  const here = "192.0.2.1";
  const wrong = "00".repeat(32) + "07";

  /** A server that allows three, unsealed, with a secret at kv/a and an attempt of generate-share not under way. */
  async function start(): Promise<TestServer & { readonly token: string; readonly keys: readonly string[] }> {
    const server = await startCoffer({ refusalsPerMinute: 3 });
    const known = await server.initAndUnseal(3, 2);
    return Object.assign(server, known);
  }
  async function guessTokens(server: TestServer, times: number): Promise<number[]> {
    const guess = async () => (await server.call("GET", "sys/mounts", { token: "no-token", address: here })).status;
    const statuses: number[] = [];
    for (let time = 0; time < times; time += 1) statuses.push(await guess());
    return statuses;
  }
  function expectLimited(answer: Answer): void {
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 429, body: { errors: [TEXT] } });
    expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d?$/);
  }

  test("is refused, with a right token as well, until the time that the answer names", async () => {
    await using server = await start();
    expect(await guessTokens(server, 5)).toEqual([403, 403, 403, 429, 429]);
    const { token, clock } = server;
    const refused = await server.call("GET", "sys/mounts", { token, address: here });
    expectLimited(refused);
    clock.advance(Number(refused.headers.get("retry-after")) * 1000);
    expect((await server.call("GET", "sys/mounts", { token, address: here })).status).toBe(200);
  });

  test("is refused by the monotonic clock, whatever the wall clock says", async () => {
    await using server = await start();
    await guessTokens(server, 3);
    server.clock.setWall(24 * 3600 * 1000);
    expectLimited(await server.call("GET", "sys/mounts", { token: server.token, address: here }));
  });

  test("does not touch other addresses, nor what asks for no token", async () => {
    await using server = await start();
    await guessTokens(server, 4);
    for (const address of ["192.0.2.2", "2001:db8::1", undefined]) {
      const options = address === undefined ? { token: server.token } : { token: server.token, address };
      expect((await server.call("GET", "sys/mounts", options)).status).toBe(200);
    }
    for (const path of ["sys/health", "sys/seal-status", "sys/leader", "sys/init", "sys/generate-share/attempt"]) {
      expect((await server.call("GET", path, { address: here })).status).toBe(200);
    }
  });

  test("is refused before its body is read, and again when it was read while others guessed", async () => {
    await using server = await start();
    const { token } = server;
    await guessTokens(server, 2);
    const body = slowBody();
    const slow = server.call("PUT", "secret/a", { token, address: here, body: body.stream });
    await guessTokens(server, 1);
    body.end();
    expectLimited(await slow);
    // What is no JSON would be a 400.
    expectLimited(await server.call("PUT", "secret/a", { token, address: here, body: "no JSON" }));
  });

  test.each([
    ["sys/unseal", true],
    ["sys/generate-share/update", false],
  ])("is no share for %s, which tells whether it is a right one", async (path, isSealed) => {
    await using server = await start();
    const { token, keys } = server;
    if (isSealed) await server.call("PUT", "sys/seal", { token });
    const give = (key: string | undefined) => server.call("PUT", path, { body: { key }, address: here });
    const statuses: number[] = [];
    for (const key of [wrong.slice(2), wrong.slice(2), wrong.slice(2)]) statuses.push((await give(key)).status);
    expect(statuses).toEqual([400, 400, 400]);
    expectLimited(await give(keys[0]));
    server.clock.advance(MINUTE + 5000);
    expect((await give(keys[0])).status).toBe(isSealed ? 200 : 400);
  });

  test.each([
    ["tokens", "GET", "sys/mounts", 403],
    ["shares while sealed", "PUT", "sys/unseal", 400],
    ["shares", "PUT", "sys/generate-share/update", 400],
  ])(
    "is refused when it sends many %s at once, though each waits for the audit log",
    async (kind, method, path, refused) => {
      await using server = await startCoffer({ refusalsPerMinute: 3, audit: declare({ one: testDevice() }) });
      const { token } = await server.initAndUnseal(3, 2);
      if (kind === "shares while sealed") await server.call("PUT", "sys/seal", { token });
      const ask = () =>
        method === "GET"
          ? server.call(method, path, { token: "no-token", address: here })
          : server.call(method, path, { body: { key: "00".repeat(33) }, address: here });
      const answers = await Promise.all(Array.from({ length: 20 }, ask));
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
      expect(statuses).toEqual([...Array.from({ length: 3 }, () => refused), ...Array.from({ length: 17 }, () => 429)]);
      for (const answer of answers.filter(({ status }) => status === 429)) expectLimited(answer);
    },
  );

  test("has what is left of its guesses, when it sends many shares at once", async () => {
    await using server = await start();
    const give = () => server.call("PUT", "sys/generate-share/update", { body: { key: wrong }, address: here });
    expect((await give()).status).toBe(400);
    const answers = await Promise.all(Array.from({ length: 10 }, give));
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(2);
    const { headers } = await give();
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(30);
  });

  test("is not one for whom the server failed", async () => {
    const driver = openMemory();
    let isAway = false;
    await using server = await startCoffer({
      refusalsPerMinute: 3,
      driver: wrapDriver(driver, (operation, _key, act) => {
        if (isAway && operation === "get") throw new Error("the store is away");
        return act();
      }),
    });
    const { token, keys } = await server.initAndUnseal(3, 2);
    isAway = true;
    for (let time = 0; time < 5; time += 1)
      expect((await server.call("GET", "sys/mounts", { token: `of nobody ${time}`, address: here })).status).toBe(500);
    isAway = false;
    await server.call("PUT", "sys/seal", { token });
    isAway = true;
    const give = (key?: string) => server.call("PUT", "sys/unseal", { body: { key }, address: here });
    for (let time = 0; time < 5; time += 1) expect((await give(keys[time % 2])).status).toBe(500);
    isAway = false;
    expect((await give(keys[0])).status).toBe(200);
  });

  test("may try as many shares at once as may be refused, and again when those were right", async () => {
    await using server = await startCoffer({ refusalsPerMinute: 3 });
    const { keys, token } = await server.initAndUnseal(3, 3);
    for (let round = 0; round < 5; round += 1) {
      await server.call("PUT", "sys/seal", { token });
      const answers = keys.map((key) => server.call("PUT", "sys/unseal", { body: { key }, address: here }));
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    }
  });

  test("is not one of somebody who was right, nor of somebody who sent no token, nor for a path that is none", async () => {
    await using server = await start();
    const { token } = server;
    for (let time = 0; time < 20; time += 1) {
      expect((await server.call("GET", "sys/key-status", { token, address: here })).status).toBe(200);
      expect((await server.call("GET", "sys/key-status", { address: here })).status).toBe(403);
      expect((await server.call("GET", "none/a", { token, address: here })).status).toBe(404);
      expect((await server.call("PUT", "sys/rotate/config", { token, address: here, body: "[]" })).status).toBe(400);
    }
  });
});

test("the limit is the one of the configuration file", async () => {
  const config = fileOf("coffer.toml", "[limits]\nrefusals_per_minute = 2");
  await using server = await startServer({ args: ["--config", config, "--storage", `file:${newFolder()}/store`] });
  await server.initAndUnseal();
  const statuses: number[] = [];
  for (let time = 0; time < 4; time += 1) {
    statuses.push((await server.call("GET", "sys/mounts", { token: "no-token" })).status);
  }
  expect(statuses).toEqual([403, 403, 429, 429]);
});
