/** What plugins are given, and which of them may do without a token. */
import { expect, test } from "bun:test";
import { openCoffer } from "../core/coffer.ts";
import { definePlugin } from "../core/plugin.ts";
import { openMemory } from "../storage/memory.ts";
import { testLog } from "./harness.ts";

function open(needs: readonly ("mounts" | "rotation")[], unauthenticated: readonly string[] = []): readonly string[] {
  let given: readonly string[] = [];
  const plugin = definePlugin({
    name: "curious",
    needs,
    routes: (declared) => {
      given = Object.keys(declared);
      return [];
    },
  });
  openCoffer({ storage: openMemory(), plugins: [plugin], log: testLog(), version: "0", unauthenticated });
  return given;
}

test("a plugin is given what it declares, and nothing else", () => {
  expect(open([])).toEqual([]);
  expect(open(["rotation", "mounts"])).toEqual(["rotation", "mounts"]);
});

test("a plugin that does not exist cannot be left without authentication", () => {
  expect(open([], ["curious"])).toEqual([]);
  expect(() => open([], ["courious"])).toThrow("there is no plugin courious");
});
