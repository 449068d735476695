import { expect, test } from "bun:test";
import { join } from "node:path";

const MEGABYTE = 1_000_000;

test("what a request leaves behind is collected soon after it", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "heap-child.ts")]);
  const sizes = (await new Response(child.stdout).json()) as { before: number; piled: number; after: number };
  expect(sizes.piled).toBeGreaterThan(sizes.before + 8 * MEGABYTE);
  expect(sizes.after).toBeLessThan(sizes.before + MEGABYTE);
});
