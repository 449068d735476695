/** generate-share: what is answered, what is kept and what is gone, and refusals that change nothing. */
import { beforeAll, describe, expect, test } from "bun:test";
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
const FIELDS = ["complete", "key", "pgp_fingerprint", "progress", "required", "started"];

let alice: SoftKey;
let bob: SoftKey;
beforeAll(async () => {
  [alice, bob] = await Promise.all([softKey("alice"), softKey("bob")]);
});

describe("the answer", () => {
  test("has exactly the document's six fields at every step, and none is ever missing", async () => {
    const { server, keys, start, give, status } = await openCeremony(alice);
    await using _ = server;
    const answers = [await status(), await start(), await status()];
    for (const key of keys.slice(0, 3)) answers.push((await give(key)).body);
    answers.push(await status());
    for (const answer of answers) expect(Object.keys(answer).sort()).toEqual(FIELDS);
    expect(answers.map(({ progress }) => progress)).toEqual([0, 0, 0, 1, 2, 3, 0]);
    expect(answers.map(({ started }) => started)).toEqual([false, true, true, true, true, true, false]);
    expect(answers.map(({ complete }) => complete)).toEqual([false, false, false, false, false, true, false]);
    expect(answers.every(({ required }) => required === 3)).toBe(true);
    const names = answers.map((answer) => answer["pgp_fingerprint"]);
    expect(names).toEqual(["", ...Array.from({ length: 5 }, () => alice.fingerprint), ""]);
    expect(answers.map(({ key }) => key === "")).toEqual([true, true, true, true, true, false, true]);
  });

  test("holds the message with the base64 text of the 33-byte share, which then opens the coffer", async () => {
    const { server, store, keys, start, give, clock } = await openCeremony(alice);
    await using _ = server;
    await start();
    for (const key of keys.slice(0, 2)) await must(give(key));
    const { body } = await must(give(keys[2]));
    const text = await alice.decrypt(body["key"]);
    expect(text).toMatch(/^[A-Za-z0-9+/]{44}$/);
    const share = Buffer.from(text, "base64");
    expect(share).toHaveLength(33);
    expect(await countOf(server)).toBe(6);
    await using restarted = await openNode(store, [share.toString("hex"), ...keys.slice(3)], clock);
    expect(await countOf(restarted)).toBe(6);
  });

  test("is the same whatever form the shares come in", async () => {
    const { server, token, keys } = await openCeremony(alice);
    await using _ = server;
    const forms = [
      (key: string) => key.toUpperCase(),
      (key: string) => ` ${key}\n`,
      (key: string) => Buffer.from(key, "hex").toString("base64"),
    ];
    const shares = keys.slice(0, 3).map((key, index) => forms[index]?.(key) ?? key);
    expect(await generateShare(server, token, shares, alice)).toHaveLength(66);
  });

  test("is logged without a share or a key", async () => {
    const { server, keys, start, give } = await openCeremony(alice);
    await using _ = server;
    await start();
    const bad = ["aa".repeat(33), `${keys[4]?.slice(0, -2)}00`];
    for (const key of bad) await give(key);
    const texts: string[] = [];
    for (const key of keys.slice(0, 3)) texts.push((await give(key)).text);
    const share = await alice.open((JSON.parse(texts[2] ?? "") as { key: string }).key);
    const log = server.log.lines.join("\n");
    for (const secret of [...keys, ...bad, share]) {
      const base64 = Buffer.from(secret, "hex").toString("base64");
      expect([...texts, log].some((text) => text.includes(secret) || text.includes(base64.slice(0, 20)))).toBe(false);
    }
    expect(log).not.toContain("BEGIN PGP");
  });
});

describe("the last answer", () => {
  test("can be had again until the next start, and not after it, though that be cancelled", async () => {
    const { server, token, keys, start, give, call } = await openCeremony(alice);
    await using _ = server;
    await generateShare(server, token, keys.slice(0, 3), alice);
    expect((await must(give(keys[0]))).body["complete"]).toBe(true);
    await start(bob);
    await must(call("DELETE", ATTEMPT, { token }));
    for (const key of keys.slice(0, 3))
      expect(await give(key)).toMatchObject({ status: 400, body: { errors: ["no share generation in progress"] } });
  });
});

describe("an attempt", () => {
  test("leaves nothing behind when it is cancelled: the given shares are gone from the store", async () => {
    const { server, token, store, keys, start, give, call } = await openCeremony(alice);
    await using _ = server;
    const before = await registerIn(store, keys.slice(0, 3));
    await start();
    for (const key of keys.slice(0, 2)) await must(give(key));
    expect((await registerIn(store, keys.slice(0, 3))).attempt?.given).toHaveLength(2);
    expect((await call("DELETE", ATTEMPT, { token })).status).toBe(204);
    expect(await registerIn(store, keys.slice(0, 3))).toEqual(before);
    expect(ciphertextsIn(store)).toEqual([]);
  });

  test("is over when nobody gave a share for an hour, and not before; each share starts the hour anew", async () => {
    const { server, store, keys, start, give, status, clock } = await openCeremony(alice);
    await using _ = server;
    const before = await registerIn(store, keys.slice(0, 3));
    await start();
    clock.advance(HOUR - 1);
    await must(give(keys[0]));
    clock.advance(HOUR - 1);
    expect(await status()).toMatchObject({ started: true, progress: 1 });
    await must(give(keys[1]));
    clock.advance(HOUR);
    const late = await give(keys[2]);
    expect(late).toMatchObject({ status: 400, body: { errors: ["no share generation in progress"] } });
    expect(await status()).toMatchObject({ started: false, progress: 0 });
    expect(await registerIn(store, keys.slice(0, 3))).toEqual(before);
    expect(await countOf(server)).toBe(5);
    expect(await start()).toMatchObject({ started: true, progress: 0 });
  });

  test("that expired is taken out of the store by the timer, though nobody asks", async () => {
    const { server, store, keys, start, give, clock } = await openCeremony(alice);
    await using _ = server;
    const before = await registerIn(store, keys.slice(0, 3));
    await start();
    await must(give(keys[0]));
    await clock.pass(HOUR - 1);
    expect((await registerIn(store, keys.slice(0, 3))).attempt?.given).toHaveLength(1);
    await clock.pass(30_000);
    expect(await registerIn(store, keys.slice(0, 3))).toEqual(before);
  });

  test("that expired makes room for the next start", async () => {
    const { server, start, give, keys, clock } = await openCeremony(alice);
    await using _ = server;
    await start(alice);
    await must(give(keys[0]));
    clock.advance(HOUR);
    expect(await start(bob)).toMatchObject({ progress: 0, pgp_fingerprint: bob.fingerprint });
  });

  test("does not last for ever when the clock was ahead while it began, and bears a small difference", async () => {
    const { server, start, status, clock } = await openCeremony(alice);
    await using _ = server;
    clock.setWall(24 * HOUR);
    await start();
    clock.setWall(-60_000);
    expect(await status()).toMatchObject({ started: true });
    clock.setWall(60_000 - 24 * HOUR);
    expect(await status()).toMatchObject({ started: false });
  });

  test("goes on after sealing, after a restart and on any node", async () => {
    const { server, token, store, keys, start, give, clock } = await openCeremony(alice);
    await start();
    await must(give(keys[0]));
    await must(server.call("PUT", "sys/seal", { token }));
    await server.unseal(keys);
    await server[Symbol.asyncDispose]();
    await using second = await openNode(store, keys, clock);
    expect((await must(second.call("GET", ATTEMPT))).body).toMatchObject({ started: true, progress: 1 });
    await must(second.call("PUT", UPDATE, { body: { key: keys[1] } }));
    await using third = await openNode(store, keys, clock);
    const { body } = await must(third.call("POST", UPDATE, { body: { key: keys[2] } }));
    expect(body["complete"]).toBe(true);
    for (const node of [second, third]) {
      expect(await countOf(node)).toBe(6);
      expect((await must(node.call("GET", ATTEMPT))).body["started"]).toBe(false);
    }
  });

  test("whose PGP key expires meanwhile issues nothing, says so, and can be cancelled", async () => {
    const { generateKey } = await import("openpgp");
    const { server, token, store, keys, give, call, clock } = await openCeremony(alice, 3, 2);
    await using _ = server;
    const { publicKey } = await generateKey({
      userIDs: [{ name: "brief" }],
      date: new Date(clock.now() - 1000),
      keyExpirationTime: 600,
    });
    await must(call("PUT", ATTEMPT, { token, body: { pgp_key: publicKey } }));
    await must(give(keys[0]));
    clock.advance(700_000);
    const before = contentOf(store);
    expect(await give(keys[1])).toMatchObject({ status: 400, body: { errors: ["the PGP key has expired"] } });
    expect(contentOf(store)).toEqual(before);
    expect((await call("DELETE", ATTEMPT, { token })).status).toBe(204);
    expect(await countOf(server)).toBe(3);
  });
});

describe("where it cannot be", () => {
  test("threshold 1: says that the one key is the key itself, and changes nothing", async () => {
    const { server, token, store, keys, call, give, status } = await openCeremony(alice, 1, 1);
    await using _ = server;
    const before = contentOf(store);
    const refused = await call("PUT", ATTEMPT, { token, body: { pgp_key: alice.armored } });
    expect(refused.status).toBe(400);
    expect(refused.body["errors"]).toEqual([
      "this coffer has one key share, which is the key itself: for a threshold, initialise a new coffer with several shares",
    ]);
    expect(await status()).toMatchObject({ started: false, required: 1 });
    expect((await give(keys[0])).status).toBe(400);
    expect((await call("DELETE", ATTEMPT, { token })).status).toBe(204);
    expect(contentOf(store)).toEqual(before);
  });

  test("255 shares: the last one is issued, a 256th is refused", async () => {
    const { server, token, store, keys, call } = await openCeremony(alice, 254, 2);
    await using _ = server;
    const share = await generateShare(server, token, keys.slice(0, 2), alice);
    expect(await countOf(server)).toBe(255);
    const before = contentOf(store);
    const refused = await call("PUT", ATTEMPT, { token, body: { pgp_key: alice.armored } });
    expect(refused).toMatchObject({ status: 400, body: { errors: ["all 255 shares have been issued"] } });
    expect(contentOf(store)).toEqual(before);
    const coordinates = new Set([...keys, share].map((key) => key.slice(-2)));
    expect(coordinates.size).toBe(255);
    await using _restarted = await openNode(store, [share, keys[100] ?? ""]);
  });

  test("the register stays far below what an entry may hold: 255 shares, a large PGP key, all but one share given", async () => {
    const { server, token, store, keys, call, give } = await openCeremony(alice, 254, 200);
    await using _ = server;
    const { generateKey } = await import("openpgp");
    const userIDs = Array.from({ length: 10 }, (_each, index) => ({ name: `${index} ${"n".repeat(3000)}` }));
    const { publicKey } = await generateKey({ userIDs, date: new Date("2025-06-01T00:00:00Z") });
    expect(publicKey.length).toBeGreaterThan(35_000);
    await must(call("PUT", ATTEMPT, { token, body: { pgp_key: publicKey } }));
    for (const key of keys.slice(0, 199)) await must(give(key));
    expect(store.get("core/register")?.length).toBeLessThan(512 * 1024);
    expect((await must(give(keys[199]))).body["complete"]).toBe(true);
  });
});

describe("a refusal changes nothing in the store", () => {
  test.each([
    ["while nothing runs", false],
    ["while an attempt runs", true],
  ])("%s", async (_name, running) => {
    const { server, token, store, keys, call, start, give } = await openCeremony(alice);
    await using _ = server;
    if (running) {
      await start();
      await must(give(keys[0]));
    }
    const before = contentOf(store);
    const bodies: readonly unknown[] = ["", "{", "[]", "null", {}, { pgp_key: "x" }, { pgp_key: [alice.armored] }];
    for (const body of bodies) {
      const { status, text } = await call("PUT", ATTEMPT, { token, body });
      expect(status).toBe(400);
      expect(text).not.toContain("BEGIN PGP");
    }
    const wrong = [
      undefined,
      "",
      "a",
      "zz".repeat(33),
      "11".repeat(20),
      "11".repeat(33),
      `${"22".repeat(32)}00`,
      keys[0]?.slice(2),
    ];
    for (const key of wrong) {
      const { status, text } = await give(key);
      expect(status).toBe(400);
      if (key !== undefined && key.length > 1) expect(text).not.toContain(key);
    }
    for (const body of ["", "{", "[]", `{"key":{}}`]) expect((await call("PUT", UPDATE, { body })).status).toBe(400);
    expect(contentOf(store)).toEqual(before);
  });
});
