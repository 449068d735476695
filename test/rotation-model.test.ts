/** Rotation, its settings, reservations and deaths on two servers over one store, in every order. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { runs } from "./harness.ts";
import { commands } from "./rotation-commands.ts";
import { RotationModel } from "./rotation-model.ts";

const MIB = 1024 * 1024;

test.each([
  ["a new store", MIB, 0, ["halfFull", "full"]],
  ["a store whose keyring is almost half full", 4096, 8, ["full"]],
  ["a store whose keyring is almost full", 4096, 21, []],
])(
  "no term, no setting and no entry is lost, and no bound is crossed, whatever fails, dies or overtakes, on %s",
  async (_name, maxValue, rotations, seldom) => {
    const sum: Record<string, number> = {};
    const property = fc.asyncProperty(fc.scheduler(), commands, async (scheduler, given) => {
      const model = await RotationModel.open(scheduler, maxValue, rotations);
      for (const command of given) await model.run(command);
      await model.finish();
      for (const [what, times] of Object.entries(model.happened)) sum[what] = (sum[what] ?? 0) + times;
    });
    const never = () => Object.keys(sum).filter((what) => sum[what] === 0 && !seldom.some((name) => name === what));
    // Thirty random histories may miss a rare event: more of them are tried before that counts as never.
    for (let tries = 0; tries === 0 || (tries < 10 && never().length > 0); tries++) {
      await fc.assert(property, { numRuns: runs(30) });
    }
    expect(never()).toEqual([]);
  },
  600_000,
);
