/** Attacks on generate-share. */
import { beforeAll, describe, expect, test } from "bun:test";
import { openGiven, sealGiven } from "../core/seal/given-share.ts";
import { createRegister, encodeRegister, REGISTER_PATH } from "../core/seal/register.ts";
import { ROOT_KEYS_PATH, wrapRootKeys } from "../core/seal/root-keys.ts";
import { split } from "../core/seal/shamir.ts";
import { type CallOptions, memoryOver, startCoffer, wrapDriver } from "./harness.ts";
import {
  ATTEMPT,
  barrierOver,
  contentOf,
  must,
  openCeremony,
  registerIn,
  type SoftKey,
  softKey,
  UPDATE,
} from "./share-ceremony.ts";

let alice: SoftKey;
let bob: SoftKey;
beforeAll(async () => {
  [alice, bob] = await Promise.all([softKey("alice"), softKey("bob")]);
});

describe("attacks", () => {
  test("an attempt that was started again for another key: who names the key that he means is not fooled", async () => {
    const { server, token, store, keys, start, give, call } = await openCeremony(alice, 3, 2);
    await using _ = server;
    await start(alice);
    await must(give(keys[0], { pgp_fingerprint: alice.fingerprint }));
    await must(call("DELETE", ATTEMPT, { token }));
    await start(bob);
    const before = contentOf(store);
    for (const pgp_fingerprint of [alice.fingerprint, alice.fingerprint.toUpperCase(), "x", "0".repeat(40)]) {
      const { status, text } = await give(keys[1], { pgp_fingerprint });
      expect(status).toBe(400);
      expect(text).toContain("pgp_fingerprint is not the one of this attempt: the share was not counted");
    }
    expect(contentOf(store)).toEqual(before);
  });

  test("a share that was given to one attempt opens in no other, and not as another's", async () => {
    const { server, token, store, keys, start, give, call, status } = await openCeremony(alice, 3, 2);
    await using _ = server;
    const attempt = async () => {
      await start();
      await must(give(keys[0]));
      return (await registerIn(store, keys.slice(0, 2))).attempt;
    };
    const first = await attempt();
    await must(call("DELETE", ATTEMPT, { token }));
    await start();
    expect(await status()).toMatchObject({ progress: 0 });
    const [given] = first?.given ?? [];
    if (first === undefined || given === undefined) throw new Error("no share was kept");
    const other = (await registerIn(store, keys.slice(0, 2))).attempt?.id ?? "";
    expect(other === first.id).toBe(false);
    const key = new Uint8Array(32).fill(1);
    const sealed = sealGiven(key, first.id, Uint8Array.fromHex(keys[0] ?? ""));
    expect(openGiven(key, first.id, sealed).toHex()).toBe(keys[0] ?? "");
    const damaged = "a share of the attempt does not open";
    expect(() => openGiven(key, other, sealed)).toThrow(damaged);
    expect(() => openGiven(key, first.id, { ...sealed, x: (sealed.x % 255) + 1 })).toThrow(damaged);
    expect(() => openGiven(new Uint8Array(32), first.id, sealed)).toThrow(damaged);
    // What is stored is under a key that only the barrier's root key gives, and one of its own for each attempt.
    expect(() => openGiven(key, first.id, given)).toThrow(damaged);
    const { keys: derived } = await barrierOver(store, keys.slice(0, 2));
    const keyOf = (id: string) => derived.deriveKey(`coffer generate-share ${id}`);
    expect(openGiven(keyOf(first.id), first.id, given).toHex()).toBe(keys[0] ?? "");
    expect(() => openGiven(keyOf(other), first.id, given)).toThrow(damaged);
    for (const text of ["", "x", "AAAA", sealed.sealed.slice(4)]) {
      expect(() => openGiven(key, first.id, { ...sealed, sealed: text })).toThrow(damaged);
    }
  });

  test("garbage does not stop an attempt", async () => {
    const { server, store, keys, start, give } = await openCeremony(alice);
    await using _ = server;
    await start();
    await must(give(keys[0]));
    const before = contentOf(store);
    const garbage = Array.from({ length: 60 }, () => Buffer.from(crypto.getRandomValues(new Uint8Array(33))));
    for (const [index, share] of garbage.entries()) {
      // Under the coordinates of real shares, and under others.
      share[32] = index % 2 === 0 ? Number.parseInt(keys[index % 5]?.slice(-2) ?? "", 16) : index;
      const { status, body } = await give(share.toString("hex"));
      expect(status).toBe(400);
      expect(body["errors"]).toEqual(["wrong key share: it is none of this coffer's"]);
    }
    expect(contentOf(store)).toEqual(before);
    await must(give(keys[1]));
    expect((await must(give(keys[2]))).body["complete"]).toBe(true);
  });

  test("colluding custodians who bend their shares, so that the key comes out right and the new share a dud", async () => {
    const { server, keys, start, give, status } = await openCeremony(alice);
    await using _ = server;
    await start();
    await must(give(keys[0]));
    // Both add the multiple of a polynomial that is 0 at 0 and at the honest share's x: combined, the key is the same.
    const [a, b] = bend(keys[0], keys[1], keys[2]);
    for (const key of [a, b]) {
      const { status: code, body } = await give(key);
      expect(code).toBe(400);
      expect(body["errors"]).toEqual(["wrong key share: it is none of this coffer's"]);
    }
    expect(await status()).toMatchObject({ progress: 1 });
  });

  test("shares that fit the register and still do not give the key make no share", async () => {
    const { server, store, keys, start, give } = await openCeremony(alice, 3, 2);
    await using _ = server;
    // As if the register had been written wrongly: commitments to the shares of another key.
    const other = await split(new Uint8Array(32).fill(7), 3, 2);
    const { kek } = await registerIn(store, keys.slice(0, 2));
    const barrier = await barrierOver(store, keys.slice(0, 2));
    const register = createRegister(new Uint8Array(32).fill(7), other, 2, [], Date.now());
    const why = "the shares given do not combine to the key of this coffer";
    for (const named of [register.kek, kek]) {
      await barrier.put(REGISTER_PATH, encodeRegister({ ...register, kek: named }));
      await start();
      const [first, second] = other.map((share) => share.toHex());
      await must(give(first));
      const before = contentOf(store);
      expect(await give(second)).toMatchObject({ status: 400, body: { errors: [why] } });
      expect(contentOf(store)).toEqual(before);
    }
  });

  test("a share whose key was replaced in the same moment is called void", async () => {
    const store = new Map<string, Uint8Array>();
    let replaces = false;
    const driver = wrapDriver(memoryOver(store), async (operation, key, act) => {
      const result = await act();
      if (replaces && operation === "swap" && key === REGISTER_PATH) {
        store.set(ROOT_KEYS_PATH, wrapRootKeys(new Uint8Array(32), [new Uint8Array(32)]));
      }
      return result;
    });
    await using server = await startCoffer({ driver });
    const { token, keys } = await server.initAndUnseal(3, 2);
    await must(server.call("PUT", ATTEMPT, { token, body: { pgp_key: alice.armored } }));
    await must(server.call("PUT", UPDATE, { body: { key: keys[0] } }));
    replaces = true;
    const answer = await server.call("PUT", UPDATE, { body: { key: keys[1] } });
    const why = "the key was changed meanwhile: the new share is void";
    expect(answer).toMatchObject({ status: 400, body: { errors: [why] } });
  });

  test("without a right to it nobody starts or cancels, while anybody may look", async () => {
    const { server, store, start, call, status } = await openCeremony(alice);
    await using _ = server;
    await start();
    const before = contentOf(store);
    const tokens: readonly CallOptions[] = [{}, { token: "hvs.AAAAAAAAAAAAAAAAAAAAAAAA" }];
    for (const options of tokens) {
      for (const request of [
        call("DELETE", ATTEMPT, options),
        call("PUT", ATTEMPT, { ...options, body: { pgp_key: bob.armored } }),
        call("POST", ATTEMPT, { ...options, body: { pgp_key: bob.armored } }),
      ]) {
        expect((await request).status).toBe(403);
      }
    }
    expect(contentOf(store)).toEqual(before);
    expect(await status()).toMatchObject({ started: true, pgp_fingerprint: alice.fingerprint });
  });

  test("where the configuration says so, and there only, no token is asked for", async () => {
    const store = new Map<string, Uint8Array>();
    await using server = await startCoffer({ store, unauthenticated: ["generate-share"] });
    await server.initAndUnseal();
    const body = { "pgp-key": alice.armored };
    expect((await server.call("PUT", ATTEMPT, { body })).status).toBe(200);
    expect((await server.call("DELETE", ATTEMPT)).status).toBe(204);
    expect((await server.call("DELETE", ATTEMPT)).status).toBe(204);
    for (const path of ["sys/mounts", "sys/key-status", "sys/rotate/config"]) {
      expect((await server.call("GET", path)).status).toBe(403);
    }
    expect((await server.call("PUT", "sys/rotate")).status).toBe(403);
  });
});

/** `b` and `c` moved so that together with `a` they still give the same key, and on every other point do not. */
function bend(a = "", b = "", c = ""): [string, string] {
  const [xa, xb, xc] = [a, b, c].map((key) => Number.parseInt(key.slice(-2), 16)) as [number, number, number];
  const moved = (share: string, x: number): string => {
    const bytes = Buffer.from(share, "hex");
    // x (x + xa): zero at 0 and at xa.
    const by = times(x, x ^ xa);
    for (let at = 0; at < 32; at += 1) bytes[at] = (bytes[at] ?? 0) ^ by;
    return bytes.toString("hex");
  };
  return [moved(b, xb), moved(c, xc)];
}

/** Multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function times(a: number, b: number): number {
  let [product, shifted] = [0, a];
  for (let bit = 0; bit < 8; bit += 1) {
    if ((b >> bit) & 1) product ^= shifted;
    shifted = (shifted << 1) ^ (shifted & 0x80 ? 0x11b : 0);
  }
  return product;
}
