import { heapSize } from "bun:jsc";
import { expect, test } from "bun:test";
import { Heap, LOOK_MS } from "../cli/heap.ts";

const kept: object[] = [];

/** Garbage that was in use when the runtime last looked. */
function pileUp(): void {
  for (let n = 0; n < 200_000; n += 1) kept.push({ n, text: `${n}` });
  Bun.gc(true);
  kept.length = 0;
}

test("what a request leaves behind is collected soon after it", async () => {
  const heap = new Heap();
  Bun.gc(true);
  const before = heapSize();
  pileUp();
  expect(heapSize()).toBeGreaterThan(before + 8_000_000);
  heap.used();
  // Timers of the same length end in the order in which they began.
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  expect(heapSize()).toBeLessThan(before + 8_000_000);
});
