/** How large the blocks are that a meter reserves, and when it fetches the next one. */
import { expect, test } from "bun:test";
import { KeyringStore } from "../core/barrier/keyring-store.ts";
import { Meter } from "../core/barrier/meter.ts";
import { barrierStore } from "./barrier-store.ts";

/** Takes encryptions of a fresh meter until it has reserved `blocks` times; their sizes, and after how many it did. */
async function reserved(blocks: number): Promise<{ sizes: number[]; after: number[] }> {
  const { driver, rootKey, clock, count } = barrierStore();
  const keyring = await KeyringStore.open(driver, [rootKey.slice()], () => undefined);
  const meter = new Meter(keyring, clock, { minOperations: 1, maxKeyring: driver.maxValue });
  const [sizes, after]: [number[], number[]] = [[], []];
  for (let [taken, counted] = [0, 0]; ;) {
    if ((await meter.reservations()) > sizes.length) {
      sizes.push(count() - counted);
      after.push(taken);
      counted = count();
      if (sizes.length === blocks) return { sizes, after };
    }
    if (meter.take() === undefined) await meter.refill();
    else taken += 1;
  }
}

test("in a burst in which no time passes a block is 16 times the one before, and never more than 524288", async () => {
  const { sizes } = await reserved(6);
  expect(sizes).toEqual([64, 1024, 16_384, 262_144, 524_288, 524_288]);
});

test("the next block is fetched when 40 to 60 % of the first are used, by each node at another moment", async () => {
  const nodes = await Promise.all(Array.from({ length: 40 }, () => reserved(2)));
  const moments = nodes.map(({ after }) => after[1] ?? 0);
  expect(Math.min(...moments)).toBeGreaterThanOrEqual(64 * 0.4);
  expect(Math.max(...moments)).toBeLessThanOrEqual(Math.ceil(64 * 0.6));
  // 13 moments are possible: that 40 nodes meet at three of them or fewer does not come about by chance.
  expect(new Set(moments).size).toBeGreaterThan(3);
});
