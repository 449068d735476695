import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  activeTerm,
  createKeyring,
  type Keyring,
  openKeyring,
  sealKeyring,
  withEncryptions,
  wipeKeyring,
} from "../core/barrier/keyring.ts";
import { AuthenticationFailed, randomBytes } from "../core/crypto.ts";
import { utf8 } from "../core/encoding.ts";
import { runs } from "./harness.ts";
import { openFrame, readKeyring, sealFrame } from "./vault-format.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const keyring: fc.Arbitrary<Keyring> = fc
  .record({
    rootKey: key,
    incarnation: fc.stringMatching(/^[0-9a-f]{32}$/),
    terms: fc.uniqueArray(
      fc.record({
        term: fc.integer({ min: 1, max: 0xffff_ffff }),
        key,
        installTime: fc
          .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
          .map((at) => at.toISOString()),
        encryptions: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 52 })),
      }),
      { selector: ({ term }) => term, minLength: 1, maxLength: 12 },
    ),
    rotation: fc.record({
      enabled: fc.boolean(),
      maxOperations: fc.integer({ min: 1_000_000, max: 3_865_470_566 }),
      interval: fc.integer({ min: 0, max: 9_000_000 }),
    }),
  })
  .map((made) => ({ ...made, terms: made.terms.sort((a, b) => a.term - b.term) }));

/** A keyring entry with this JSON, as another program might have stored it. */
function stored(rootKey: Uint8Array, json: unknown): Uint8Array {
  const text = typeof json === "string" ? json : JSON.stringify(json);
  return sealFrame(1, 2, rootKey, "core/keyring", utf8(text));
}

const ROOT = new Uint8Array(32).fill(1);
const SECRET = new Uint8Array(32).fill(0x41).toBase64();
const KEY = { Term: 1, Version: 1, Value: SECRET, InstallTime: "2026-01-01T00:00:00.123456789Z" };
const PLAIN = {
  MasterKey: ROOT.toBase64(),
  Keys: [KEY],
  RotationConfig: { Disabled: false, MaxOperations: 3865470566, Interval: 0 },
};

describe("the keyring", () => {
  test("is stored as Vault's JSON, at term 1, under the root key", () => {
    const property = fc.property(keyring, (made) => {
      const read = readKeyring(made.rootKey, sealKeyring(made));
      expect(read).toEqual({
        masterKey: made.rootKey,
        keys: made.terms.map((term) => ({
          term: term.term,
          value: term.key,
          installTime: new Date(term.installTime),
          encryptions: term.encryptions,
        })),
        disabled: !made.rotation.enabled,
        maxOperations: made.rotation.maxOperations,
        interval: made.rotation.interval * 1e9,
      });
    });
    fc.assert(property, { numRuns: runs(200) });
  });

  test("is read as it was stored", () => {
    const property = fc.property(keyring, (made) => expect(openKeyring(made.rootKey, sealKeyring(made))).toEqual(made));
    fc.assert(property, { numRuns: runs(200) });
  });

  test("of a new store has term 1, no encryptions, and Vault's settings", () => {
    const at = Date.parse("2026-01-02T03:04:05.678Z");
    const [made, other] = [createKeyring(ROOT, at), createKeyring(ROOT, at)];
    expect(readKeyring(ROOT, sealKeyring(made))).toMatchObject({
      masterKey: ROOT,
      keys: [{ term: 1, installTime: new Date(at), encryptions: 0 }],
      disabled: false,
      maxOperations: 3_865_470_566,
      interval: 0,
    });
    const text = new TextDecoder().decode(openFrame(ROOT, "core/keyring", sealKeyring(made)));
    expect(text).not.toContain("encryptions");
    expect(made.incarnation).toMatch(/^[0-9a-f]{32}$/);
    expect(other.incarnation).not.toBe(made.incarnation);
    expect(other.terms[0]?.key).not.toEqual(made.terms[0]?.key ?? new Uint8Array());
  });

  test("of another program is read: unsorted terms, missing counts and settings, fields that it does not know", () => {
    const later = { ...KEY, Term: 300, encryptions: 7, Unknown: [1] };
    const read = openKeyring(ROOT, stored(ROOT, { MasterKey: PLAIN.MasterKey, Keys: [later, KEY], More: { a: 1 } }));
    expect(read.terms.map(({ term, encryptions }) => [term, encryptions])).toEqual([
      [1, 0],
      [300, 7],
    ]);
    expect(activeTerm(read).term).toBe(300);
    expect(read.incarnation).toBe("");
    expect(read.rotation).toEqual({ enabled: true, maxOperations: 3_865_470_566, interval: 0 });
  });

  test("counts more, fewer, and for terms that it has only", () => {
    const made = openKeyring(ROOT, stored(ROOT, { ...PLAIN, Keys: [{ ...KEY, encryptions: 10 }] }));
    expect(withEncryptions(made, 1, 5)?.terms[0]?.encryptions).toBe(15);
    expect(withEncryptions(made, 1, -10)?.terms[0]?.encryptions).toBe(0);
    expect(withEncryptions(made, 2, 5)).toBeUndefined();
    expect(made.terms[0]?.encryptions).toBe(10);
  });

  test("does not open under another root key, at another path, or with any bit flipped", () => {
    const frame = sealKeyring(createKeyring(ROOT, 0));
    expect(() => openKeyring(randomBytes(32), frame)).toThrow(AuthenticationFailed);
    expect(() => openKeyring(ROOT, sealFrame(1, 2, ROOT, "core/other", utf8("{}")))).toThrow(AuthenticationFailed);
    for (let bit = 0; bit < frame.length * 8; bit += 1) {
      const flipped = frame.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(() => openKeyring(ROOT, flipped)).toThrow();
    }
  });

  const damaged: Record<string, unknown> = {
    "no JSON": `{"MasterKey":"${SECRET}`,
    "no object": [SECRET],
    "no terms": { ...PLAIN, Keys: [] },
    "terms that are no list": { ...PLAIN, Keys: { a: SECRET } },
    "a key that is no base64": { ...PLAIN, Keys: [{ ...KEY, Value: `!${SECRET}` }] },
    "a key of 31 bytes": { ...PLAIN, Keys: [{ ...KEY, Value: new Uint8Array(31).fill(0x41).toBase64() }] },
    "a root key of 16 bytes": { ...PLAIN, MasterKey: new Uint8Array(16).fill(0x41).toBase64() },
    "term 0": { ...PLAIN, Keys: [{ ...KEY, Term: 0 }] },
    "term 1.5": { ...PLAIN, Keys: [{ ...KEY, Term: 1.5 }] },
    "a term twice": { ...PLAIN, Keys: [KEY, KEY] },
    "a negative count": { ...PLAIN, Keys: [{ ...KEY, encryptions: -1 }] },
    "a count that is no integer": { ...PLAIN, Keys: [{ ...KEY, encryptions: 1e300 }] },
    "a count as text": { ...PLAIN, Keys: [{ ...KEY, encryptions: SECRET }] },
  };
  for (const [name, json] of Object.entries(damaged)) {
    test(`with ${name} is refused, and the message tells nothing of it`, () => {
      const refused = thrown(() => openKeyring(ROOT, stored(ROOT, json)));
      expect(refused.message).toContain("core/keyring");
      expect(Bun.inspect(refused)).not.toContain(SECRET.slice(0, 12));
    });
  }

  test("that is no UTF-8 is refused, and the message tells nothing of it", () => {
    const bytes = Uint8Array.from([0xff, ...utf8(SECRET)]);
    const refused = thrown(() => openKeyring(ROOT, sealFrame(1, 2, ROOT, "core/keyring", bytes)));
    expect(Bun.inspect(refused)).not.toContain(SECRET.slice(0, 12));
  });

  test("is overwritten when it is wiped", () => {
    const made = createKeyring(new Uint8Array(32).fill(1), 0);
    wipeKeyring(made);
    expect([made.rootKey, made.terms[0]?.key]).toEqual([new Uint8Array(32), new Uint8Array(32)]);
  });
});

function thrown(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}
