/**
 * What the barrier costs over the cipher that it cannot do without: path checks, the meter, the frame, the driver's
 * copy and the promises. Over the memory driver, one operation after the other.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { Barrier } from "../core/barrier/barrier.ts";
import { createKeyring, KEYRING_PATH, sealKeyring } from "../core/barrier/keyring.ts";
import { systemClock } from "../core/clock.ts";
import { KEY_BYTES, randomBytes } from "../core/crypto.ts";
import { utf8 } from "../core/encoding.ts";
import { openMemory } from "../storage/memory.ts";
import { interleaved, type Measure } from "./rounds.ts";
import type { Figure, Target } from "./table.ts";

const ROUNDS = 15;
const PATHS = Array.from({ length: 1000 }, (_, index) => `logical/5f2c1e90/team/app-${index}`);

interface Size {
  readonly label: string;
  readonly bytes: number;
  /** Enough for about a tenth of a second, in which the garbage of a round is collected many times. */
  readonly operations: number;
  readonly put?: Target;
  readonly get?: Target;
}

const SIZES: readonly Size[] = [
  { label: "64 B", bytes: 64, operations: 20_000 },
  {
    label: "1 KiB",
    bytes: 1024,
    operations: 20_000,
    put: { of: "ratio", bound: "≤", limit: 2 },
    get: { of: "ratio", bound: "≤", limit: 2.5 },
  },
  { label: "16 KiB", bytes: 16_384, operations: 5000 },
];

export async function measureBarrier(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const size of SIZES) figures.push(...(await measureSize(size)));
  return figures;
}

async function measureSize({ label, bytes, operations, put, get }: Size): Promise<Figure[]> {
  const plaintext = randomBytes(bytes);
  await using driver = openMemory();
  const barrier = await openBarrier();
  const cipher = new BareCipher(plaintext);
  const perPut = await interleaved(
    ROUNDS,
    repeated(operations, (at) => cipher.seal(at)),
    repeatedAsync(operations, (path) => barrier.put(path, plaintext)),
  );
  const perGet = await interleaved(
    ROUNDS,
    repeated(operations, (at) => cipher.open(at)),
    repeatedAsync(operations, async (path) => barrier.get(path)),
  );
  await barrier.close();
  const common = { group: "barrier", unit: "µs", operations } as const;
  return [
    { ...common, name: `put ${label}, over the bare cipher`, ...perPut, ...(put && { target: put }) },
    { ...common, name: `get ${label}, over the bare cipher`, ...perGet, ...(get && { target: get }) },
  ];

  async function openBarrier(): Promise<Barrier> {
    const rootKey = randomBytes(KEY_BYTES);
    await driver.put(KEYRING_PATH, sealKeyring(createKeyring(rootKey, systemClock.now())));
    return Barrier.open([rootKey], { driver, clock: systemClock });
  }
}

/** AES-256-GCM as the runtime offers it, with the paths encoded beforehand and nothing put together or stored. */
class BareCipher {
  readonly #key = randomBytes(KEY_BYTES);
  readonly #aads = PATHS.map(utf8);
  readonly #plaintext: Uint8Array;
  readonly #sealed: { nonce: Uint8Array; ciphertext: Uint8Array; tag: Uint8Array }[] = [];

  constructor(plaintext: Uint8Array) {
    this.#plaintext = plaintext;
  }

  seal(at: number): void {
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    cipher.setAAD(this.#aads[at] ?? nonce);
    const ciphertext = cipher.update(this.#plaintext);
    cipher.final();
    // Kept, like the values in a store, so that both leave the garbage collector as much to walk.
    this.#sealed[at] = { nonce, ciphertext, tag: cipher.getAuthTag() };
  }

  open(at: number): void {
    const sealed = this.#sealed[at];
    if (sealed === undefined) throw new Error("nothing was sealed there");
    const decipher = createDecipheriv("aes-256-gcm", this.#key, sealed.nonce);
    decipher.setAAD(this.#aads[at] ?? sealed.nonce);
    decipher.setAuthTag(sealed.tag);
    decipher.update(sealed.ciphertext);
    decipher.final();
  }
}

/** Microseconds per call of `act`, which gets the index of a path. */
function repeated(operations: number, act: (at: number) => void): Measure {
  return async () => {
    const start = performance.now();
    for (let done = 0; done < operations; done += 1) act(done % PATHS.length);
    return ((performance.now() - start) * 1000) / operations;
  };
}

/** Microseconds per awaited call of `act`, which gets a path. */
function repeatedAsync(operations: number, act: (path: string) => Promise<unknown>): Measure {
  return async () => {
    const start = performance.now();
    for (let done = 0; done < operations; done += 1) await act(PATHS[done % PATHS.length] ?? "");
    return ((performance.now() - start) * 1000) / operations;
  };
}
