/** Opens a store that OpenBao 2.6.2 wrote, and finds in it what was put there over its API. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gunzipSync } from "node:zlib";
import { MOUNTS_PATH } from "../core/access/mount-table.ts";
import { Mounts } from "../core/access/mounts.ts";
import { Barrier } from "../core/barrier/barrier.ts";
import { activeTerm, KEYRING_PATH, openKeyring } from "../core/barrier/keyring.ts";
import { AuthenticationFailed } from "../core/crypto.ts";
import { fromUtf8, utf8 } from "../core/encoding.ts";
import { ROOT_KEYS_PATH, unwrapRootKeys } from "../core/seal/root-keys.ts";
import { parseSealConfig, SEAL_CONFIG_PATH } from "../core/seal/seal-config.ts";
import { combine } from "../core/seal/shamir.ts";
import { parseShare } from "../core/seal/share-text.ts";
import kv1 from "../plugins/kv1.ts";
import { openMemory } from "../storage/memory.ts";
import { temporaryFolder } from "./file-store.ts";
import { rejection, testClock, testLog } from "./harness.ts";
import { openFrame, sealFrame } from "./vault-format.ts";

interface Fixture {
  readonly keys: readonly string[];
  readonly keys_base64: readonly string[];
  readonly threshold: number;
  readonly key_status: { readonly term: number };
  readonly rotate_config: { readonly enabled: boolean; readonly interval: string; readonly max_operations: number };
  readonly want: {
    /** Mount → path → the value's JSON. */
    readonly kv1: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
}

const fixture = JSON.parse(readFileSync(join(import.meta.dir, "data/openbao-file-store.json"), "utf8")) as Fixture;
const store = await unpack();
/** What lies beside the barrier, not in it. */
const RAW = [ROOT_KEYS_PATH, SEAL_CONFIG_PATH, KEYRING_PATH];

/** The store's entries by path: the file `a/_b` holds the entry `a/b`. */
async function unpack(): Promise<Map<string, Uint8Array>> {
  await using folder = temporaryFolder();
  const archive = join(import.meta.dir, "data/openbao-file-store.tar.gz");
  const { success, stderr } = Bun.spawnSync(["tar", "xzf", archive, "-C", folder.path]);
  if (!success) throw new Error(stderr.toString());
  const root = join(folder.path, "store");
  const entries = new Map<string, Uint8Array>();
  for (const file of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const { Value } = JSON.parse(readFileSync(join(file.parentPath, file.name), "utf8")) as { Value: string };
    const parent = relative(root, file.parentPath);
    entries.set(join(parent, file.name.slice(1)), Uint8Array.fromBase64(Value));
  }
  return entries;
}

function stored(path: string): Uint8Array {
  const value = store.get(path);
  if (value === undefined) throw new Error(`${path} is missing`);
  return value;
}

async function rootKeys(shares: readonly string[] = fixture.keys.slice(0, 3)): Promise<Uint8Array[]> {
  return unwrapRootKeys(await combine(shares.map(parseShare)), stored(ROOT_KEYS_PATH));
}

async function openStore(): Promise<Barrier> {
  return Barrier.open(await rootKeys(), { driver: openMemory({ store: new Map(store) }), clock: testClock() });
}

function subsets(size: number): string[][] {
  const all = Array.from({ length: 32 }, (_, set) => fixture.keys.filter((_share, i) => (set >> i) & 1));
  return all.filter(({ length }) => length === size);
}

describe("a store of OpenBao", () => {
  test("has a seal configuration that is read", () => {
    expect(parseSealConfig(stored(SEAL_CONFIG_PATH))).toEqual({ kind: "config", shares: 5, threshold: 3 });
  });

  test("opens with any three of its five shares, in hex or base64, and with more", async () => {
    const [first] = await rootKeys();
    for (const shares of [...subsets(3), ...subsets(4), ...subsets(5), fixture.keys_base64.slice(2)])
      expect((await rootKeys(shares))[0]?.toHex()).toBe(first?.toHex() ?? "");
    expect(subsets(3)).toHaveLength(10);
  });

  test("does not open with two", async () => {
    for (const shares of subsets(2)) expect(await rejection(rootKeys(shares))).toBeInstanceOf(AuthenticationFailed);
  });

  test("has a keyring that is read, with its settings", async () => {
    const [rootKey = new Uint8Array()] = await rootKeys();
    const keyring = openKeyring(rootKey, stored(KEYRING_PATH));
    const { term } = fixture.key_status;
    expect(keyring.rootKey).toEqual(rootKey);
    expect(keyring.terms.map((known) => known.term)).toEqual(Array.from({ length: term }, (_, i) => i + 1));
    expect(activeTerm(keyring).installTime).toMatch(/^2026-11-22T08:03:17\.09924984\d*Z$/);
    const { enabled, max_operations } = fixture.rotate_config;
    expect(fixture.rotate_config.interval).toBe("4320h0m0s");
    expect(keyring.rotation).toEqual({ enabled, maxOperations: max_operations, interval: 4320 * 3600 });
  });

  test("every entry opens, those of former terms too", async () => {
    const barrier = await openStore();
    const terms = new Set<number>();
    let read = 0;
    for (const [path, frame] of store) {
      if (RAW.includes(path)) continue;
      expect([path, (await barrier.get(path)) instanceof Uint8Array]).toEqual([path, true]);
      terms.add(new DataView(frame.buffer, frame.byteOffset).getUint32(0));
      read += 1;
    }
    expect(read).toBe(475);
    expect(terms).toEqual(new Set([1, 2, 3, 4]));
    await barrier.close();
  });

  test("every secret of its kv1 mounts is what was put there", async () => {
    const barrier = await openStore();
    const mounts = await readMounts(barrier);
    for (const [mount, secrets] of Object.entries(fixture.want.kv1)) {
      const prefix = `logical/${mounts.get(`${mount}/`)}/`;
      expect((await pathsBelow(barrier, prefix)).sort()).toEqual(Object.keys(secrets).sort());
      for (const [path, want] of Object.entries(secrets))
        expect(JSON.parse(await text(barrier, prefix + path))).toEqual(want);
    }
    await barrier.close();
  });

  test("takes new entries, and counts them", async () => {
    const entries = new Map(store);
    const clock = testClock();
    const barrier = await Barrier.open(await rootKeys(), { driver: openMemory({ store: entries }), clock });
    const before = (await barrier.keys.status()).encryptions;
    for (let i = 0; i < 10; i += 1) await barrier.put(`logical/new/${i}`, new Uint8Array([i]));
    expect((await barrier.keys.status()).encryptions).toBe(before + 10);
    await barrier.close();
    const again = await Barrier.open(await rootKeys(), { driver: openMemory({ store: entries }), clock });
    expect((await again.keys.status()).encryptions).toBe(before + 10);
    expect((await again.keys.status()).term).toBe(4);
    expect(await again.get("logical/new/7")).toEqual(new Uint8Array([7]));
    await again.close();
  });
});

describe("what a newer server has written beside what is known, or OpenBao", () => {
  const more = { newer: { list: [1, "é"] }, empty: null };

  test("stays in the keyring through rotation, settings, counting and giving back", async () => {
    const [rootKey = new Uint8Array()] = await rootKeys();
    const read = (frame: Uint8Array) => JSON.parse(fromUtf8(openFrame(rootKey, KEYRING_PATH, frame))) as StoredKeyring;
    const before = read(stored(KEYRING_PATH));
    const widened = {
      ...before,
      ...more,
      Keys: before.Keys.map((key) => ({ ...key, ...more, of: key.Term })),
      RotationConfig: { ...before.RotationConfig, ...more },
    };
    const entries = new Map(store);
    entries.set(KEYRING_PATH, sealFrame(1, 2, rootKey, KEYRING_PATH, utf8(JSON.stringify(widened))));
    const driver = openMemory({ store: entries });
    const barrier = await Barrier.open(await rootKeys(), { driver, clock: testClock() });
    for (let i = 0; i < 100; i += 1) await barrier.put(`logical/new/${i}`, new Uint8Array([i]));
    await barrier.keys.rotate();
    await barrier.keys.configure({ enabled: undefined, maxOperations: 3_000_000, interval: undefined });
    await barrier.put("logical/new/again", new Uint8Array());
    await barrier.close();

    const { Keys, RotationConfig, incarnation: _ours, ...rest } = read(entries.get(KEYRING_PATH) ?? new Uint8Array());
    const { Keys: _keys, RotationConfig: _settings, ...others } = widened;
    expect(rest).toEqual(others);
    expect(RotationConfig).toEqual({ ...widened.RotationConfig, MaxOperations: 3_000_000 });
    // OpenBao does not sort them.
    const was = [...widened.Keys].sort((a, b) => a.Term - b.Term);
    expect(Keys.slice(0, 3)).toEqual(was.slice(0, 3));
    expect(Keys[3]).toEqual({ ...must(was[3]), encryptions: expect.any(Number) } as never);
    expect(Keys[4]).toMatchObject({ Term: 5, Version: 1, encryptions: 1 });
  });

  test("stays in the mount table when a mount is tuned, another made, and one removed", async () => {
    const barrier = await openStore();
    const { entries } = await readTable(barrier);
    const widen = (entry: StoredMount) => ({ ...entry, ...more, config: { ...entry.config, ...more } });
    const before = { type: "mounts", entries: entries.map(widen), ...more };
    await barrier.put(MOUNTS_PATH, utf8(JSON.stringify(before)));
    const mounts = await Mounts.open(barrier, [kv1], testLog());
    const [tuned, removed] = before.entries.filter(({ type }) => type === "kv");
    await mounts.tune(must(tuned).path, { description: "mine", defaultLeaseTtl: 60 });
    await mounts.enable({ path: "made/", type: "kv", local: false, sealWrap: false, options: {} });
    await mounts.disable(must(removed).path);

    const after = JSON.parse(await text(barrier, MOUNTS_PATH)) as typeof before;
    const config = { ...must(tuned).config, default_lease_ttl: 60_000_000_000 };
    const left = before.entries
      .filter((entry) => entry !== removed)
      .map((entry) => (entry === tuned ? { ...entry, description: "mine", config } : entry));
    expect(after).toEqual({ ...before, entries: [...left, after.entries.at(-1) as never] });
    expect(after.entries.at(-1)).toMatchObject({ path: "made/", namespace_id: "root" });
    // What OpenBao itself wrote is among it.
    expect(must(after.entries.find(({ path }) => path === "sys/"))).toMatchObject({
      backend_aware_uuid: expect.any(String),
      config: { passthrough_request_headers: ["Accept"] },
    });
    await barrier.close();
  });
});

interface StoredKeyring {
  readonly Keys: readonly { readonly Term: number }[];
  readonly RotationConfig: object;
  readonly incarnation?: string;
}

interface StoredMount {
  readonly path: string;
  readonly type: string;
  readonly uuid: string;
  readonly config: object;
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("it is missing");
  return value;
}

/** The mount table, which is gzip behind the letter `G`. */
async function readTable(barrier: Barrier): Promise<{ entries: StoredMount[] }> {
  const table = (await barrier.get(MOUNTS_PATH)) ?? new Uint8Array();
  expect(table[0]).toBe("G".charCodeAt(0));
  return JSON.parse(fromUtf8(gunzipSync(table.subarray(1)))) as { entries: StoredMount[] };
}

/** The uuid of each mount, by its path. */
async function readMounts(barrier: Barrier): Promise<Map<string, string>> {
  const { entries } = await readTable(barrier);
  return new Map(entries.map(({ path, uuid }) => [path, uuid]));
}

async function pathsBelow(barrier: Barrier, prefix: string, folder = ""): Promise<string[]> {
  const found: string[] = [];
  for (const child of await barrier.list(prefix + folder)) {
    if (child.endsWith("/")) found.push(...(await pathsBelow(barrier, prefix, folder + child)));
    else found.push(folder + child);
  }
  return found;
}

async function text(barrier: Barrier, path: string): Promise<string> {
  return fromUtf8((await barrier.get(path)) ?? new Uint8Array());
}
