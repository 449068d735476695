import { describe, expect, test } from "bun:test";
import { Barrier } from "../core/barrier/barrier.ts";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { readRegister } from "../core/seal/register.ts";
import { ROOT_KEYS_PATH, unwrapRootKeys } from "../core/seal/root-keys.ts";
import { parseSealConfig, SEAL_CONFIG_PATH } from "../core/seal/seal-config.ts";
import { forEveryCrash } from "./crash.ts";
import { type Answer, memoryOver, startCoffer, testClock, type TestServer, wrapDriver } from "./harness.ts";

const SETTINGS = { secret_shares: 5, secret_threshold: 3 };

function init(server: TestServer, settings: Record<string, number> = SETTINGS): Promise<Answer> {
  return server.call("PUT", "sys/init", { body: settings });
}

/** Unseals with what an init answered, and uses the token that it gave. */
async function proveWorking(server: TestServer, answer: Answer): Promise<void> {
  const { keys, root_token: token } = answer.body as { keys: string[]; root_token: string };
  await server.unseal(keys.slice(2));
  expect((await server.call("GET", "auth/token/lookup-self", { token })).status).toBe(200);
  expect((await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } })).status).toBe(204);
  expect((await server.call("PUT", "kv/a", { token, body: { b: "c" } })).status).toBe(204);
  expect((await server.call("GET", "kv/a", { token })).body["data"]).toEqual({ b: "c" });
}

describe("init", () => {
  test("gives shares and a root token that work, and leaves the server sealed", async () => {
    const store = new Map<string, Uint8Array>();
    await using server = await startCoffer({ store });
    const answer = await init(server);
    const { keys, keys_base64 } = answer.body as { keys: string[]; keys_base64: string[] };
    expect([answer.status, keys.length, new Set(keys).size]).toEqual([200, 5, 5]);
    expect(keys.map((key) => Uint8Array.fromHex(key).toBase64())).toEqual(keys_base64);
    expect((await server.call("GET", "sys/seal-status")).body).toMatchObject({ initialized: true, sealed: true });
    expect(Buffer.from(store.get(SEAL_CONFIG_PATH) ?? []).toString()).toBe(
      '{"type":"shamir","secret_shares":5,"secret_threshold":3,"pgp_keys":null,"nonce":"","backup":false}',
    );
    await proveWorking(server, answer);
  });

  const refused: Record<string, [number, number]> = {
    "shares must be at least one": [0, 0],
    "threshold must be at least one": [1, 0],
    "threshold must be greater than one for multiple shares": [2, 1],
    "shares must be less than 256": [256, 3],
    "threshold must be less than 256": [255, 256],
    "threshold cannot be larger than shares": [3, 4],
  };
  for (const [why, [secret_shares, secret_threshold]] of Object.entries(refused)) {
    test(`refuses: ${why}`, async () => {
      const store = new Map<string, Uint8Array>();
      await using server = await startCoffer({ store });
      const { status, body } = await init(server, { secret_shares, secret_threshold });
      expect([status, body]).toEqual([400, { errors: [`invalid seal configuration: ${why}`] }]);
      expect(store.size).toBe(0);
    });
  }

  test("is refused the second time, and changes nothing", async () => {
    const store = new Map<string, Uint8Array>();
    await using server = await startCoffer({ store });
    await init(server);
    const before = new Map(store);
    const { status, body } = await init(server);
    expect([status, body]).toEqual([400, { errors: ["Vault is already initialized"] }]);
    expect(store).toEqual(before);
  });

  test.each([KEYRING_PATH, ROOT_KEYS_PATH])(
    "is refused where the seal configuration is lost but %s is there",
    async (path) => {
      const store = new Map<string, Uint8Array>();
      await using server = await startCoffer({ store });
      await init(server);
      store.delete(SEAL_CONFIG_PATH);
      store.delete(path === KEYRING_PATH ? ROOT_KEYS_PATH : KEYRING_PATH);
      const before = new Map(store);
      const { status, text } = await init(server);
      expect([status, text]).toEqual([
        500,
        expect.stringContaining(`core/seal-config is missing, but ${path} is there`),
      ]);
      expect(store).toEqual(before);
    },
  );

  for (const nodes of [1, 2]) {
    test(`ten at once on ${nodes} nodes: one succeeds, and its shares unseal every node`, async () => {
      const store = new Map<string, Uint8Array>();
      const servers = await Promise.all(Array.from({ length: nodes }, () => startCoffer({ store })));
      const answers = await Promise.all(
        servers.flatMap((server) => Array.from({ length: 10 / nodes }, () => init(server))),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      for (const { status, body } of answers.filter((answer) => !won.includes(answer))) {
        expect(status).toBe(400);
        expect(["Vault is already initialized", "Vault is being initialized on another node"]).toContain(
          String((body["errors"] as string[])[0]),
        );
      }
      for (const [i, server] of servers.entries()) {
        if (i === 0 && won[0] !== undefined) await proveWorking(server, won[0]);
        else await server.unseal(won[0]?.body["keys"] as string[]);
      }
      for (const server of servers) await server[Symbol.asyncDispose]();
    });
  }
});

describe("an init that died", () => {
  test("at any operation: a minute later another one succeeds, or it had been made and its KEK opens it", async () => {
    const clock = testClock();
    let [remade, complete, drawn]: [number, number, Uint8Array[]] = [0, 0, []];
    const crashes = await forEveryCrash(
      new Map(),
      async (driver, arm) => {
        arm();
        const server = await startCoffer({ driver, clock });
        const spied = await whileWatchingRandom(() => init(server));
        drawn = spied.drawn;
        if (spied.result.status !== 200) throw new Error(spied.result.text);
      },
      async ({ store, acknowledged, name }) => {
        await using server = await startCoffer({ store, clock });
        const claimed = store.has(SEAL_CONFIG_PATH) && parseSealConfig(store.get(SEAL_CONFIG_PATH) ?? new Uint8Array());
        const initialised = (await server.call("GET", "sys/init")).body["initialized"];
        if (initialised === true) {
          // The answer with the shares may be lost, but nothing of the store is: it opens with the key they combine to.
          await openWith(drawn, store);
          complete += 1;
          return;
        }
        expect([name, acknowledged]).toEqual([name, false]);
        if (claimed) {
          expect([name, (await init(server)).status]).toEqual([name, 400]);
          // Where nobody else can be at work, whoever left the claim is dead.
          await using alone = await startCoffer({ driver: memoryOver(new Map(store)), clock });
          await proveWorking(alone, await init(alone));
        }
        clock.advance(60_000);
        const again = await init(server);
        expect([name, again.status, again.text]).toEqual([name, 200, again.text]);
        await proveWorking(server, again);
        remade += 1;
      },
    );
    expect(crashes).toBeGreaterThan(30);
    expect(remade).toBeGreaterThan(30);
    // The two that were not interrupted, and the one whose last operation landed.
    expect(complete).toBe(3);
  });

  test("without dying, by an error of the storage, lets the next one begin at once", async () => {
    const store = new Map<string, Uint8Array>();
    const driver = memoryOver(store, false);
    const put = driver.put.bind(driver);
    let failures = 1;
    driver.put = async (key, value) => {
      if ((failures -= 1) >= 0) throw new Error("disk full");
      return put(key, value);
    };
    await using server = await startCoffer({ driver });
    expect((await init(server)).status).toBe(500);
    await proveWorking(server, await init(server));
  });

  for (const together of [true, false]) {
    const when = together ? "works on with" : "wakes after";
    test(`slept through its claim and ${when} the next one: at most one answers shares, and those work`, async () => {
      let k = 1;
      while (await sleepAt(k, together)) k += 1;
      expect(k).toBeGreaterThan(20);
    });
  }
});

/**
 * One init falls asleep at its `k`th storage operation for longer than its claim lasts, and another one begins. False
 * when init has fewer operations than that.
 */
async function sleepAt(k: number, together: boolean): Promise<boolean> {
  const store = new Map<string, Uint8Array>();
  const clock = testClock();
  const [asleep, awake] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let left = k;
  const drowsy = wrapDriver(memoryOver(store, false), async (_operation, _key, act) => {
    if ((left -= 1) === 0) {
      asleep.resolve();
      await awake.promise;
    }
    return act();
  });
  await using sleeper = await startCoffer({ driver: drowsy, clock });
  await using other = await startCoffer({ store, clock });
  const first = init(sleeper).finally(asleep.resolve);
  await asleep.promise;
  clock.advance(60_000);
  const second = init(other);
  if (!together) await second;
  awake.resolve();
  const answers = await Promise.all([first, second]);
  const won = answers.filter(({ status }) => status === 200);
  expect(won.length).toBeLessThanOrEqual(1);
  if (won[0] === undefined) clock.advance(60_000);
  await proveWorking(other, won[0] ?? (await init(other)));
  return left <= 0;
}

/** What `act` drew from the random generator: among it the KEK, of which no other copy is left when the answer is lost. */
async function whileWatchingRandom<T>(act: () => Promise<T>): Promise<{ result: T; drawn: Uint8Array[] }> {
  const drawn: Uint8Array[] = [];
  const real = crypto.getRandomValues.bind(crypto);
  const watch = ((bytes: Uint8Array<ArrayBuffer>) => {
    const filled = real(bytes);
    if (bytes instanceof Uint8Array && bytes.length === 32) drawn.push(new Uint8Array(bytes));
    return filled;
  }) as typeof crypto.getRandomValues;
  crypto.getRandomValues = watch;
  try {
    return { result: await act(), drawn };
  } finally {
    crypto.getRandomValues = real;
  }
}

/** Opens the barrier with whichever of `keys` is the KEK, and reads the register in it. */
async function openWith(keys: readonly Uint8Array[], store: Map<string, Uint8Array>): Promise<void> {
  const blob = store.get(ROOT_KEYS_PATH) ?? new Uint8Array();
  const opened = keys.flatMap((key) => {
    try {
      return [unwrapRootKeys(key, blob)];
    } catch {
      return [];
    }
  });
  expect(opened).toHaveLength(1);
  const barrier = await Barrier.open(opened[0] ?? [], { driver: memoryOver(new Map(store)), clock: testClock() });
  expect((await readRegister(barrier)).register.shares).toHaveLength(5);
  await barrier.close();
}
