/** generate-share when answers are lost, on several nodes, and beside other requests. */
import { beforeAll, describe, expect, test } from "bun:test";
import { REGISTER_PATH } from "../core/seal/register.ts";
import { SEAL_CONFIG_PATH } from "../core/seal/seal-config.ts";
import { memoryOver, startCoffer, type TestServer, testClock, wrapDriver } from "./harness.ts";
import {
  ATTEMPT,
  ciphertextsIn,
  contentOf,
  countOf,
  generateShare,
  must,
  openCeremony,
  openNode,
  registerIn,
  type SoftKey,
  softKey,
  UPDATE,
} from "./share-ceremony.ts";

const HOUR = 3_600_000;

let alice: SoftKey;
let bob: SoftKey;
beforeAll(async () => {
  [alice, bob] = await Promise.all([softKey("alice"), softKey("bob")]);
});

describe("a lost last answer", () => {
  async function finished() {
    const opened = await openCeremony(alice);
    await opened.start();
    for (const key of opened.keys.slice(0, 2)) await must(opened.give(key));
    const answer = await must(opened.give(opened.keys[2]));
    return { ...opened, answer };
  }

  test("is had again by each who took part, also on another node, for an hour, and until the next start", async () => {
    const { server, store, keys, answer, give, start, clock } = await finished();
    await using _ = server;
    await using node = await openNode(store, keys, clock);
    const before = contentOf(store);
    for (const key of keys.slice(0, 3)) {
      expect(await give(key)).toMatchObject({ status: 200, text: answer.text });
      expect(await node.call("PUT", UPDATE, { body: { key } })).toMatchObject({ status: 200, text: answer.text });
    }
    expect(contentOf(store)).toEqual(before);
    clock.advance(HOUR - 1);
    expect((await give(keys[2])).text).toBe(answer.text);
    clock.advance(1);
    expect((await give(keys[2])).status).toBe(400);
    clock.setWall(-HOUR);
    expect((await give(keys[2])).status).toBe(200);
    await start();
    expect((await give(keys[2])).body).toMatchObject({ complete: false, progress: 1 });
  });

  test("is not for others: shares that took no part, wrong ones, and those for another fingerprint", async () => {
    const { server, store, keys, give, answer } = await finished();
    await using _ = server;
    const added = await alice.open(answer.body["key"]);
    const before = contentOf(store);
    const bent = Buffer.from(keys[0] ?? "", "hex");
    bent[0] = (bent[0] ?? 0) ^ 1;
    for (const key of [keys[3], keys[4], added, bent.toString("hex"), "11".repeat(33)]) {
      expect(await give(key)).toMatchObject({ status: 400, body: { errors: ["no share generation in progress"] } });
    }
    expect((await give(keys[0], { pgp_fingerprint: bob.fingerprint })).status).toBe(400);
    expect((await give(keys[0], { pgp_fingerprint: alice.fingerprint })).text).toBe(answer.text);
    expect(contentOf(store)).toEqual(before);
  });

  test("survives a cancel that came too late", async () => {
    const { server, token, keys, call, give, answer } = await finished();
    await using _ = server;
    expect((await call("DELETE", ATTEMPT, { token })).status).toBe(204);
    expect((await give(keys[1])).text).toBe(answer.text);
  });
});

describe("several at once", () => {
  test("a flood of starts starts one", async () => {
    const { server, token, store, keys, call, start } = await openCeremony(alice);
    await using _ = server;
    const recipients = [alice, bob];
    const floods = Array.from({ length: 40 }, (_each, index) =>
      call("PUT", ATTEMPT, { token, body: { pgp_key: recipients[index % 2]?.armored } }),
    );
    const statuses = (await Promise.all(floods)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 400)).toHaveLength(39);
    expect((await registerIn(store, keys.slice(0, 3))).attempt?.given).toEqual([]);
    await server.call("DELETE", ATTEMPT, { token });
    await start();
  });

  test("all custodians at once, on three nodes: exactly one share, and it is the same for all who took part", async () => {
    const { server, store, keys, start, clock } = await openCeremony(alice);
    await using first = server;
    await using second = await openNode(store, keys, clock);
    await using third = await openNode(store, keys, clock);
    await start();
    const nodes: readonly TestServer[] = [first, second, third];
    const answers = await Promise.all(
      keys.flatMap((key) => nodes.map((node) => node.call("PUT", UPDATE, { body: { key } }))),
    );
    const complete = answers.filter(({ body }) => body["complete"] === true);
    expect(complete.length).toBeGreaterThan(0);
    expect(new Set(complete.map(({ text }) => text)).size).toBe(1);
    expect(answers.every(({ status }) => status === 200 || status === 400)).toBe(true);
    for (const node of nodes) expect(await countOf(node)).toBe(6);
    const register = await registerIn(store, keys.slice(0, 3));
    expect(register.shares).toHaveLength(6);
    expect(ciphertextsIn(store)).toEqual([register.shares[5]?.ciphertext ?? ""]);
  });

  test("a cancel beside the last share: it issued one, or none", async () => {
    const { server, token, store, keys, start, give, call } = await openCeremony(alice, 3, 2);
    await using _ = server;
    for (let round = 0; round < 10; round += 1) {
      const before = (await registerIn(store, keys.slice(0, 2))).shares.length;
      await start();
      await must(give(keys[0]));
      const [answer, cancelled] = await Promise.all([give(keys[1]), call("DELETE", ATTEMPT, { token })]);
      expect(cancelled.status).toBe(204);
      const register = await registerIn(store, keys.slice(0, 2));
      expect(register.attempt).toBeUndefined();
      expect(register.shares.length - before).toBe(answer.status === 200 ? 1 : 0);
      expect(await countOf(server)).toBe(register.shares.length);
      expect(ciphertextsIn(store)).toHaveLength(register.shares.length - 3);
    }
  });

  test("sys/seal beside the last share: never a share that is called void, or issued and unheard of", async () => {
    for (let delay = 0; delay < 12; delay += 1) {
      const store = new Map<string, Uint8Array>();
      const clock = testClock();
      // The seal arrives after the operation of that number of the last request.
      let [armed, operations] = [false, 0];
      const seals: Promise<unknown>[] = [];
      const driver = wrapDriver(memoryOver(store), async (_operation, _key, act) => {
        const result = await act();
        if (armed && operations === delay) seals.push(server.call("PUT", "sys/seal", { token }));
        operations += armed ? 1 : 0;
        return result;
      });
      await using server = await startCoffer({ driver, clock });
      const { token, keys } = await server.initAndUnseal(3, 2);
      await must(server.call("PUT", ATTEMPT, { token, body: { pgp_key: alice.armored } }));
      await must(server.call("PUT", UPDATE, { body: { key: keys[0] } }));
      armed = true;
      const answer = await server.call("PUT", UPDATE, { body: { key: keys[1] } });
      armed = false;
      await Promise.all(seals);
      expect([200, 503]).toContain(answer.status);
      const { body } = await must(server.call("GET", "sys/seal-status"));
      if (body["sealed"] === true) await server.unseal(keys);
      const again = await must(server.call("PUT", UPDATE, { body: { key: keys[1] } }));
      expect(again.body["complete"]).toBe(true);
      if (answer.status === 200) expect(again.text).toBe(answer.text);
      expect(await countOf(server)).toBe(4);
      expect((await registerIn(store, keys.slice(0, 2))).shares).toHaveLength(4);
    }
  });
});

describe("n in seal-status", () => {
  test("is put right by the next start, where a node died before it had set it and nobody asked again", async () => {
    const store = new Map<string, Uint8Array>();
    await using first = await startCoffer({ store });
    const { token, keys } = await first.initAndUnseal(3, 2);
    const stale = store.get(SEAL_CONFIG_PATH);
    await generateShare(first, token, keys.slice(0, 2), alice);
    store.set(SEAL_CONFIG_PATH, new Uint8Array(stale ?? []));
    expect(await countOf(first)).toBe(3);
    await must(first.call("PUT", ATTEMPT, { token, body: { pgp_key: bob.armored } }));
    expect(await countOf(first)).toBe(4);
  });

  test("never goes back, when one node is held up while another one makes the next share", async () => {
    for (let at = 0; at < 20; at += 1) {
      const store = new Map<string, Uint8Array>();
      const held = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      let [counting, operations] = [false, 0];
      const driver = wrapDriver(memoryOver(store, false), async (_operation, _key, act) => {
        if (counting && operations++ === at) {
          held.resolve();
          await release.promise;
        }
        return act();
      });
      await using slow = await startCoffer({ driver });
      const { token, keys } = await slow.initAndUnseal(3, 2);
      await using fast = await openNode(store, keys);
      await must(slow.call("PUT", ATTEMPT, { token, body: { pgp_key: alice.armored } }));
      await must(slow.call("PUT", UPDATE, { body: { key: keys[0] } }));
      counting = true;
      const answer = slow.call("PUT", UPDATE, { body: { key: keys[1] } });
      await Promise.race([held.promise, answer]);
      // Whatever the slow one had got to: the fast one brings this attempt to its end, and one more.
      await fast.call("PUT", UPDATE, { body: { key: keys[1] } });
      await generateShare(fast, token, keys.slice(1), bob);
      release.resolve();
      await answer;
      const { shares } = await registerIn(store, keys.slice(0, 2));
      expect(shares).toHaveLength(5);
      expect({ at, n: await countOf(fast) }).toEqual({ at, n: 5 });
      expect(ciphertextsIn(store)).toEqual(shares.flatMap(({ ciphertext = [] }) => ciphertext).sort());
      if (operations <= at) return;
    }
    throw new Error("the last share takes more operations than were tried");
  });
});

test("a start beside another node's last share never takes away what that one is about to name", async () => {
  for (let at = 0; at < 20; at += 1) {
    const store = new Map<string, Uint8Array>();
    const [starting, startHeld, issueHeld, goOn] = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
    if (starting === undefined || startHeld === undefined || issueHeld === undefined || goOn === undefined)
      throw new Error();
    let [counting, operations, holding] = [false, 0, false];
    const starter = wrapDriver(memoryOver(store, false), async (_operation, _key, act) => {
      if (counting && operations++ === at) {
        startHeld.resolve();
        await starting.promise;
      }
      return act();
    });
    const issuer = wrapDriver(memoryOver(store, false), async (operation, key, act) => {
      if (holding && operation === "swap" && key === REGISTER_PATH) {
        issueHeld.resolve();
        await goOn.promise;
      }
      return act();
    });
    await using one = await startCoffer({ driver: starter });
    const { token, keys } = await one.initAndUnseal(3, 2);
    await using other = await startCoffer({ driver: issuer });
    await other.unseal(keys);
    counting = true;
    const started = one.call("PUT", ATTEMPT, { token, body: { pgp_key: bob.armored } });
    await Promise.race([startHeld.promise, started]);
    counting = false;
    if (operations <= at) return;
    await other.call("PUT", ATTEMPT, { token, body: { pgp_key: alice.armored } });
    await must(other.call("PUT", UPDATE, { body: { key: keys[0] } }));
    holding = true;
    const last = other.call("PUT", UPDATE, { body: { key: keys[1] } });
    await issueHeld.promise;
    starting.resolve();
    await started;
    goOn.resolve();
    expect((await last).body["complete"]).toBe(true);
    const { shares } = await registerIn(store, keys.slice(0, 2));
    expect(ciphertextsIn(store)).toEqual([shares[3]?.ciphertext ?? ""]);
  }
  throw new Error("a start takes more operations than were tried");
});
