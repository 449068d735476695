/** Run by heap.test.ts, in a process of its own: prints the size of the heap at four moments. */
import { heapSize } from "bun:jsc";
import { Heap, LOOK_MS } from "../cli/heap.ts";

const kept: object[] = [];

/** Garbage that was in use when the runtime last looked. */
function pileUp(): void {
  for (let n = 0; n < 200_000; n += 1) kept.push({ n, text: `${n}` });
  Bun.gc(true);
  kept.length = 0;
}

const heap = new Heap();
Bun.gc(true);
const before = heapSize();
pileUp();
const piled = heapSize();
heap.used(0);
// Timers of the same length end in the order in which they began.
await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
const after = heapSize();
pileUp();
heap.used(17 * 1024 * 1024);
process.stdout.write(JSON.stringify({ before, piled, after, afterMuch: heapSize() }));
