/**
 * The keyring: the barrier's keys, one per term, and the settings of their rotation. One entry at `core/keyring`,
 * sealed under the root key, in Vault's JSON:
 *
 *     {"MasterKey": base64, "Keys": [{"Term", "Version", "Value": base64, "InstallTime", "encryptions"}],
 *      "RotationConfig": {"Disabled", "MaxOperations", "Interval": nanoseconds}, "incarnation"}
 *
 * `encryptions` is the number reserved under that term, at least as many as were made (see meter.ts). `incarnation` is
 * Coffer's own field, which Vault's reader ignores: a random id that tells one history of a store from another. Fields
 * that Vault or a newer Coffer wrote and this one does not know stay as they are.
 *
 * A keyring is never changed in place: a change makes a new one, which becomes the keyring when it is swapped in.
 */
import * as v from "valibot";
import { KEY_BYTES, randomBytes } from "../crypto.ts";
import { fromBase64, fromUtf8, toBase64, toHex, utf8 } from "../encoding.ts";
import type { RotationSettings } from "../needs.ts";
import { openEntry, OVERHEAD, sealEntry, termOf } from "./entry.ts";

export const KEYRING_PATH = "core/keyring";
/** 90 % of 2^32, the bound for random nonces (SP 800-38D, section 8.3). */
export const MAX_OPERATIONS = 3_865_470_566;
/** The frame of the keyring always says term 1, though the root key belongs to no term. */
const FRAME_TERM = 1;
const NANOSECONDS = 1_000_000_000;

/** Fields that this version does not know. */
type Others = Readonly<Record<string, unknown>>;

export interface Term {
  readonly term: number;
  readonly key: Uint8Array;
  /** RFC 3339. */
  readonly installTime: string;
  /** Encryptions reserved under this term, never fewer than were made. */
  readonly encryptions: number;
  readonly others?: Others;
}

export interface Keyring {
  readonly rootKey: Uint8Array;
  readonly incarnation: string;
  /** Ascending by term, without holes at the end: the last is the active one. Never empty. */
  readonly terms: readonly Term[];
  readonly rotation: RotationSettings;
  readonly others?: Others;
  /** Beside the settings of rotation. */
  readonly rotationOthers?: Others;
}

const safeCount = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const key = v.pipe(
  v.string(),
  v.transform(fromBase64),
  v.check((bytes) => bytes?.length === KEY_BYTES),
  v.transform((bytes) => bytes ?? new Uint8Array()),
);
const keyringSchema = v.looseObject({
  MasterKey: key,
  Keys: v.pipe(
    v.array(
      v.looseObject({
        Term: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
        Value: key,
        InstallTime: v.string(),
        encryptions: v.optional(safeCount, 0),
      }),
    ),
    v.minLength(1),
  ),
  RotationConfig: v.optional(
    v.looseObject({
      Disabled: v.optional(v.boolean(), false),
      MaxOperations: v.optional(v.number(), MAX_OPERATIONS),
      Interval: v.optional(v.number(), 0),
    }),
    {},
  ),
  incarnation: v.optional(v.string(), ""),
});

/** The keyring of a new store: term 1, and the settings that Vault starts with. `now`: milliseconds since 1970. */
export function createKeyring(rootKey: Uint8Array, now: number): Keyring {
  return {
    rootKey,
    incarnation: toHex(randomBytes(16)),
    terms: [
      {
        term: 1,
        key: randomBytes(KEY_BYTES),
        installTime: new Date(now).toISOString(),
        encryptions: 0,
      },
    ],
    rotation: { enabled: true, maxOperations: MAX_OPERATIONS, interval: 0 },
  };
}

/** The term under which values are sealed. */
export function activeTerm(keyring: Keyring): Term {
  const active = keyring.terms.at(-1);
  if (active === undefined) throw new Error("a keyring has at least one term");
  return active;
}

/** The keyring with a new active term. `now`: milliseconds since 1970. */
export function addTerm(keyring: Keyring, now: number): Keyring {
  const term = {
    term: activeTerm(keyring).term + 1,
    key: randomBytes(KEY_BYTES),
    installTime: new Date(now).toISOString(),
    encryptions: 0,
  };
  return { ...keyring, terms: [...keyring.terms, term] };
}

/** How large the stored form of the keyring is, in bytes. */
export function keyringBytes(keyring: Keyring): number {
  return OVERHEAD + utf8(encode(keyring)).length;
}

/**
 * The keyring with `count` more (or, when negative, fewer) encryptions under `term`; undefined when it has no such term,
 * or not so many to take away: then a copy was put back, and what was counted since is not in it.
 */
export function withEncryptions(keyring: Keyring, term: number, count: number): Keyring | undefined {
  if (!keyring.terms.some((known) => known.term === term && known.encryptions + count >= 0)) return undefined;
  return {
    ...keyring,
    terms: keyring.terms.map((known) =>
      known.term === term ? { ...known, encryptions: known.encryptions + count } : known,
    ),
  };
}

/** The stored form of a keyring. Not an encryption under any term, so it is not counted. */
export function sealKeyring(keyring: Keyring): Uint8Array {
  return sealEntry(FRAME_TERM, keyring.rootKey, KEYRING_PATH, utf8(encode(keyring)));
}

function encode(keyring: Keyring): string {
  return JSON.stringify({
    MasterKey: toBase64(keyring.rootKey),
    Keys: keyring.terms.map((term) => ({
      Term: term.term,
      Version: 1,
      Value: toBase64(term.key),
      InstallTime: term.installTime,
      ...(term.encryptions > 0 && { encryptions: term.encryptions }),
      ...term.others,
    })),
    RotationConfig: {
      Disabled: !keyring.rotation.enabled,
      MaxOperations: keyring.rotation.maxOperations,
      Interval: keyring.rotation.interval * NANOSECONDS,
      ...keyring.rotationOthers,
    },
    incarnation: keyring.incarnation,
    ...keyring.others,
  });
}

/**
 * Opens the stored form. Throws AuthenticationFailed under another root key, and an Error without any of the content
 * when what is inside is not a keyring.
 */
export function openKeyring(rootKey: Uint8Array, frame: Uint8Array): Keyring {
  if (termOf(frame) !== FRAME_TERM)
    throw new Error(`the frame of ${KEYRING_PATH} names another term than ${FRAME_TERM}`);
  const plaintext = openEntry(rootKey, KEYRING_PATH, frame);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), keyringSchema), fromUtf8(plaintext));
  plaintext.fill(0);
  if (!parsed.success) throw new Error(`${KEYRING_PATH} holds no keyring`);
  const { MasterKey, Keys, RotationConfig, incarnation, ...others } = parsed.output;
  const { Disabled, MaxOperations, Interval, ...rotationOthers } = RotationConfig;
  const terms = Keys.map(({ Term, Version: _one, Value, InstallTime, encryptions, ...termOthers }) => ({
    term: Term,
    key: Value,
    installTime: InstallTime,
    encryptions,
    ...(Object.keys(termOthers).length > 0 && { others: termOthers }),
  })).sort((a, b) => a.term - b.term);
  if (new Set(terms.map(({ term }) => term)).size !== terms.length) throw new Error(`${KEYRING_PATH} has a term twice`);
  return {
    rootKey: MasterKey,
    incarnation,
    terms,
    rotation: {
      enabled: !Disabled,
      maxOperations: MaxOperations,
      // Beyond 146 years the nanoseconds are not exact in a double, and a division may end just below the second.
      interval: Math.round(Interval / NANOSECONDS),
    },
    ...(Object.keys(others).length > 0 && { others }),
    ...(Object.keys(rotationOthers).length > 0 && { rotationOthers }),
  };
}

/** Overwrites every key of a keyring that is no longer used. Best effort: the runtime may have copied them. */
export function wipeKeyring(keyring: Keyring): void {
  keyring.rootKey.fill(0);
  for (const term of keyring.terms) term.key.fill(0);
}
