/** The plugin that the README shows is `readme/counter.ts`, which the compiler checks, and it does what it says. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startCoffer } from "./harness.ts";
import counter from "./readme/counter.ts";

test("stands in the README as it is compiled", () => {
  const readme = readFileSync(join(import.meta.dir, "../README.md"), "utf8");
  const source = readFileSync(join(import.meta.dir, "readme/counter.ts"), "utf8");
  const [, shown] = /```ts\n\/\/ plugins\/counter\.ts\n([^]*?)```/.exec(readme) ?? [];
  expect(shown).toBe(source.replace("../../core/", "../core/"));
});

test("counts what comes at once on two nodes, goes on after a restart, and asks for a token", async () => {
  const options = { store: new Map<string, Uint8Array>(), plugins: [counter] };
  await using one = await startCoffer(options);
  const { token, keys } = await one.initAndUnseal();
  await using two = await startCoffer(options);
  await two.unseal(keys);
  expect((await one.call("POST", "sys/mounts/count", { token, body: { type: "counter" } })).status).toBe(204);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two).call("POST", "count/visits", { token })),
  );
  const counts = answers.map(({ body }) => (body["data"] as { count: number }).count);
  expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  await using next = await startCoffer(options);
  await next.unseal(keys);
  expect((await next.call("POST", "count/visits", { token })).body).toMatchObject({ data: { count: 21 } });
  expect((await next.call("POST", "count/visits")).status).toBe(403);
});
