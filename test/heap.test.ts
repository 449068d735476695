import { expect, test } from "bun:test";
import { join } from "node:path";

const MEGABYTE = 1_000_000;

test("what a request leaves behind is collected soon after it, or at once where it is much", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "heap-child.ts")]);
  const sizes = (await new Response(child.stdout).json()) as Record<"before" | "piled" | "after" | "afterMuch", number>;
  expect(sizes.piled).toBeGreaterThan(sizes.before + 8 * MEGABYTE);
  expect(sizes.after).toBeLessThan(sizes.before + MEGABYTE);
  expect(sizes.afterMuch).toBeLessThan(sizes.before + MEGABYTE);
});
