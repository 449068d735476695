/**
 * `kill -9` under load, on a file store: whatever the moment, no acknowledged write is lost or wrong, and no encryption
 * that was done is missing from the stored count. `SEED` repeats a run, `SLOW=1` kills ten times as often.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { newFolder, type Server, startServer } from "./executable.ts";
import { announceSeed, atTheEnd, encryptions, KILLS, killWithin, sealedEntries } from "./kill.ts";

const CLIENTS = 8;

/** What a loader knows of the store. */
class Ledger {
  /** Path → the value that was acknowledged last. */
  readonly acknowledged = new Map<string, string>();
  /** Path → values that were sent after it and not answered: each may be there. */
  readonly possible = new Map<string, string[]>();
  acknowledgements = 0;

  /** Whether `value` may be what is at `path`; undefined: nothing there. */
  allows(path: string, value: string | undefined): boolean {
    return (
      value === this.acknowledged.get(path) ||
      (value !== undefined && this.possible.get(path)?.includes(value) === true)
    );
  }
}

/** Writes until the server is gone. Each client has its own paths, of which it overwrites some. */
async function load(server: Server, token: string, ledger: Ledger, round: number, random: () => number): Promise<void> {
  const client = async (_: unknown, number: number) => {
    for (let index = 0; ; index += 1) {
      const path = random() < 0.3 ? `kv/again-${number}-${index % 5}` : `kv/${round}-${number}-${index}`;
      const value = `${round}.${number}.${index}`;
      ledger.possible.set(path, [...(ledger.possible.get(path) ?? []), value]);
      const answer = await server.call("PUT", path, { token, body: { value } }).catch(() => undefined);
      if (answer === undefined) return;
      expect(answer.status).toBe(204);
      ledger.acknowledged.set(path, value);
      ledger.possible.delete(path);
      ledger.acknowledgements += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

async function readBack(server: Server, token: string, ledger: Ledger, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const { status, body } = await server.call("GET", path, { token });
    expect([200, 404]).toContain(status);
    const value = status === 200 ? (body["data"] as { value: string }).value : undefined;
    expect([path, value, ledger.allows(path, value)]).toEqual([path, value, true]);
  }
}

test(
  `nothing acknowledged is lost and nothing encrypted is uncounted by ${KILLS} kills under load`,
  async () => {
    const random = announceSeed();
    const folder = join(newFolder(), "store");
    const args = ["--storage", `file:${folder}`, "--log-level", "error"];
    const ledger = new Ledger();

    let server = await startServer({ args });
    await using _ = atTheEnd(() => server);
    const { token, keys } = await server.initAndUnseal();
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    await server.kill();
    // The first entries of the store were encrypted once, the mount table twice.
    const first = sealedEntries(folder).length + 1;
    let stored = 0;
    let lastCount = first;

    for (let round = 0; round < KILLS; round += 1) {
      server = await startServer({ args });
      await server.unseal(keys.toSorted(() => random() - 0.5).slice(0, 2));
      const count = await encryptions(server, token);
      // Overwritten or not, every acknowledged write was one encryption; so was what is there unacknowledged.
      expect(count).toBeGreaterThanOrEqual(first + ledger.acknowledgements);
      expect(count).toBeGreaterThanOrEqual(stored);
      expect(count).toBeGreaterThanOrEqual(lastCount);
      lastCount = count;
      const paths = [...ledger.acknowledged.keys(), ...ledger.possible.keys()];
      await readBack(
        server,
        token,
        ledger,
        Array.from({ length: Math.min(20, paths.length) }, () => paths[Math.floor(random() * paths.length)] ?? ""),
      );

      const writing = load(server, token, ledger, round, random);
      await killWithin(server, 150, random);
      await writing;
      expect(server.log).toEqual([]);
      stored = sealedEntries(folder).length;
    }

    server = await startServer({ args });
    await server.unseal(keys);
    const unacknowledged = [...ledger.possible.keys()].filter((path) => !ledger.acknowledged.has(path));
    let landed = 0;
    for (const path of unacknowledged) if ((await server.call("GET", path, { token })).status === 200) landed += 1;
    await readBack(server, token, ledger, [...ledger.acknowledged.keys(), ...unacknowledged]);
    const count = await encryptions(server, token);
    expect(count).toBeGreaterThanOrEqual(first + ledger.acknowledgements + landed);
    expect(await server.stop()).toBe(0);

    await using again = await startServer({ args });
    await again.unseal(keys);
    // A clean stop gives back exactly what was reserved and not used.
    expect(await encryptions(again, token)).toBe(count);
    console.log(
      `${ledger.acknowledgements} writes acknowledged, ${landed} of ${unacknowledged.length} others landed, ${count} encryptions counted`,
    );
  },
  KILLS * 3000,
);
