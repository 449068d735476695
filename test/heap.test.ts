import { expect, test } from "bun:test";
import { join } from "node:path";
import { Heap } from "../cli/heap.ts";

const MEGABYTE = 1_000_000;

/** A heap of which `alive` is in use, and that a collection takes `took` milliseconds to look through. */
function heapOf(alive: number) {
  const state = { size: alive, took: 5, collected: 0, now: 0, timers: [] as (() => void)[] };
  const heap = new Heap({
    heapSize: () => state.size,
    fullGC() {
      state.collected += 1;
      state.size = alive;
      state.now += state.took;
    },
    now: () => state.now,
    after: (_ms, act) => void state.timers.push(act),
  });
  const look = () => {
    const due = state.timers.splice(0);
    for (const act of due) act();
    return due.length;
  };
  heap.used(0);
  look();
  state.collected = 0;
  return { heap, state, look };
}

test("it is looked at once after many requests, and collected when half of what was alive has come to it", () => {
  const { heap, state, look } = heapOf(40 * MEGABYTE);
  state.size = 60 * MEGABYTE;
  for (let request = 0; request < 10; request += 1) heap.used(1000);
  expect(look()).toBe(1);
  expect(state.collected).toBe(0);
  state.size = 66 * MEGABYTE;
  heap.used(1000);
  expect(state.collected).toBe(0);
  expect(look()).toBe(1);
  expect(state.collected).toBe(1);
});

test("it is looked at at once after 16 MiB, and the count begins anew", () => {
  const { heap, state, look } = heapOf(10 * MEGABYTE);
  const grow = () => (state.size = 60 * MEGABYTE);
  grow();
  heap.used(9 * MEGABYTE);
  expect(state.collected).toBe(0);
  heap.used(9 * MEGABYTE);
  expect(state.collected).toBe(1);
  grow();
  heap.used(9 * MEGABYTE);
  expect(state.collected).toBe(1);
  // The look that was awaited all the while.
  expect(look()).toBe(1);
  expect(state.collected).toBe(2);
});

test("a large heap is left to the runtime if it takes long to look through", () => {
  const { heap, state } = heapOf(100 * MEGABYTE);
  for (const [took, collected] of [
    [60, 1],
    [5, 1],
  ] as const) {
    state.took = took;
    state.size = 200 * MEGABYTE;
    heap.used(17 * 1024 * 1024);
    expect(state.collected).toBe(collected);
  }
});

test("a small heap is collected however long that takes", () => {
  const { heap, state } = heapOf(10 * MEGABYTE);
  state.took = 60;
  for (const collected of [1, 2]) {
    state.size = 60 * MEGABYTE;
    heap.used(17 * 1024 * 1024);
    expect(state.collected).toBe(collected);
  }
});

test("what a request leaves behind is collected soon after it, or at once where it is much", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "heap-child.ts")]);
  const sizes = (await new Response(child.stdout).json()) as Record<"before" | "piled" | "after" | "afterMuch", number>;
  expect(sizes.piled).toBeGreaterThan(sizes.before + 8 * MEGABYTE);
  expect(sizes.after).toBeLessThan(sizes.before + MEGABYTE);
  expect(sizes.afterMuch).toBeLessThan(sizes.before + MEGABYTE);
});
