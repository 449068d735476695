/** What the tests that kill a server at random moments share. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { join } from "node:path";
import type { Server } from "./executable.ts";

/** How often a test kills. */
export const KILLS = process.env["SLOW"] === "1" ? 1000 : 100;

/** Ends whichever server `current` gives then, at the end of a test that starts many: also of one that failed. */
export function atTheEnd(current: () => Server): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => current().kill() };
}

/** Ends `server` by `kill -9` within `milliseconds`; resolves when it is gone. */
export async function killWithin(server: Server, milliseconds: number, random: () => number): Promise<void> {
  await Bun.sleep(random() * milliseconds);
  await server.kill();
}

/** mulberry32: a small generator whose numbers are the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Random numbers of a seed that is printed, or that `SEED` gives. */
export function announceSeed(): () => number {
  const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
  console.log(`kills at random moments from SEED=${seed}`);
  return randomFrom(seed);
}

/** What is sealed under a term in a store that nobody has open: its paths. The keyring is under the root key. */
export function sealedEntries(folder: string): string[] {
  using db = new Database(join(folder, "coffer.db"));
  const rows = db.query<{ path: string; value: Uint8Array }, []>("SELECT path, value FROM entry").all();
  const isSealed = ({ path, value }: { path: string; value: Uint8Array }) =>
    path !== "core/keyring" && value.length >= 33 && value[0] === 0 && value[3] === 1 && value[4] === 2;
  return rows.filter(isSealed).map(({ path }) => path);
}

/** The count that `sys/key-status` gives. */
export async function encryptions(server: Server, token: string): Promise<number> {
  const { status, body } = await server.call("GET", "sys/key-status", { token });
  expect(status).toBe(200);
  return Number(body["encryptions"]);
}
