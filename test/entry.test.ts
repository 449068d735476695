import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { AuthenticationFailed, MalformedEntry, openEntry, OVERHEAD, sealEntry, termOf } from "../core/barrier/entry.ts";
import { randomBytes } from "../core/crypto.ts";
import { utf8 } from "../core/encoding.ts";
import { runs } from "./harness.ts";
import { openFrame, sealFrame, splitFrame } from "./vault-format.ts";

const term = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 0xffff_ffff }));
const path = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const value = fc.uint8Array({ maxLength: 300 });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe("an entry", () => {
  test("has the layout of the format, byte by byte", () => {
    const property = fc.property(term, key, path, value, (...[ofTerm, secret, at, plaintext]) => {
      const frame = sealEntry(ofTerm, secret, at, plaintext);
      expect(frame).toHaveLength(33 + plaintext.length);
      const { term: read, version, nonce, ciphertext } = splitFrame(frame);
      expect([read, version, nonce.length, ciphertext.length]).toEqual([ofTerm, 2, 12, plaintext.length]);
      expect(openFrame(secret, at, frame)).toEqual(plaintext);
    });
    fc.assert(property, { numRuns: runs(200) });
    expect(OVERHEAD).toBe(33);
  });

  test("is read when another writer of the format made it", () => {
    const property = fc.property(term, key, path, value, (...[ofTerm, secret, at, plaintext]) => {
      const frame = sealFrame(ofTerm, 2, secret, at, plaintext);
      expect(termOf(frame)).toBe(ofTerm);
      expect(openEntry(secret, at, frame).toHex()).toBe(plaintext.toHex());
    });
    fc.assert(property, { numRuns: runs(200) });
  });

  test("is read where it lies within a larger buffer", () => {
    const frame = sealEntry(0x01020304, new Uint8Array(32), "a", utf8("value"));
    const within = Uint8Array.from([9, 9, 9, ...frame, 9]).subarray(3, 3 + frame.length);
    expect(termOf(within)).toBe(0x01020304);
    expect(openEntry(new Uint8Array(32), "a", within)).toEqual(utf8("value"));
  });

  test("has a nonce of its own each time", () => {
    const nonces = Array.from({ length: 1000 }, () =>
      splitFrame(sealEntry(1, new Uint8Array(32), "a", utf8("same"))).nonce.toHex(),
    );
    expect(new Set(nonces).size).toBe(1000);
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 32, Infinity])("cannot be of term %p", (ofTerm) => {
    expect(() => sealEntry(ofTerm, new Uint8Array(32), "a", utf8("v"))).toThrow("no such term");
  });

  test("is refused when it is too short to be one", () => {
    const frame = sealEntry(1, new Uint8Array(32), "a", new Uint8Array());
    expect(openEntry(new Uint8Array(32), "a", frame)).toHaveLength(0);
    for (let length = 0; length < 33; length += 1)
      expect(() => termOf(frame.subarray(0, length))).toThrow(MalformedEntry);
  });

  test.each([0, 1, 3, 255])("of version %d is refused", (version) => {
    const frame = sealFrame(1, version, new Uint8Array(32), "a", utf8("value"));
    expect(() => termOf(frame)).toThrow(MalformedEntry);
  });

  test("does not open at another path", () => {
    const secret = randomBytes(32);
    const property = fc.property(path, path, (from, to) => {
      fc.pre(from !== to);
      const frame = sealEntry(1, secret, from, utf8("value"));
      expect(() => openEntry(secret, to, frame)).toThrow(AuthenticationFailed);
    });
    fc.assert(property, { numRuns: runs(200) });
  });

  test("with any one bit flipped is refused, or names another term", () => {
    const secret = randomBytes(32);
    const frame = sealEntry(1, secret, "a/b", randomBytes(64));
    for (let bit = 0; bit < frame.length * 8; bit += 1) {
      const flipped = frame.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      const outcome = () => {
        if (termOf(flipped) !== 1) throw new Error("another term");
        return openEntry(secret, "a/b", flipped);
      };
      const expected = bit < 32 ? "another term" : bit < 40 ? "is not supported" : "message authentication failed";
      expect(outcome).toThrow(expected);
    }
  });

  test("cut at any length is refused", () => {
    const secret = randomBytes(32);
    const frame = sealEntry(1, secret, "a/b", randomBytes(64));
    for (let length = 0; length < frame.length; length += 1) {
      const cut = frame.subarray(0, length);
      expect(() => (termOf(cut), openEntry(secret, "a/b", cut))).toThrow();
    }
  });
});
