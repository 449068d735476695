import { describe, expect, test } from "bun:test";
import { format, inspect } from "node:util";
import { initialise } from "../core/seal/init.ts";
import { Secret } from "../core/secret.ts";
import { openMemory } from "../storage/memory.ts";
import { testClock } from "./harness.ts";

const HIDDEN = "hunter2";
const secret = new Secret(HIDDEN);

const PRINTED: Record<string, () => string> = {
  "String()": () => String(secret),
  "a template": () => `<${secret as unknown as string}>`,
  "JSON.stringify": () => JSON.stringify(secret),
  "JSON.stringify, nested": () => JSON.stringify({ a: [{ secret }] }),
  "util.inspect": () => inspect(secret),
  "util.inspect, nested and thorough": () =>
    inspect({ a: [{ secret }] }, { depth: null, showHidden: true, getters: true }),
  "util.inspect without custom functions": () => inspect(secret, { customInspect: false, showHidden: true }),
  "util.format": () => format("%s %o %O %j", secret, secret, secret, secret),
  "Bun.inspect": () => Bun.inspect(secret),
  "Bun.inspect, nested": () => Bun.inspect({ a: [{ secret }], map: new Map([["k", secret]]) }),
  "an error's cause": () => Bun.inspect(new Error("failed", { cause: secret })),
  "an error's field": () => Bun.inspect(Object.assign(new Error("failed"), { secret })),
  "Object.prototype.toString": () => Object.prototype.toString.call(secret),
  toLocaleString: () => secret.toLocaleString(),
};

describe("a secret", () => {
  for (const [name, print] of Object.entries(PRINTED)) {
    test(`is hidden from ${name}`, () => {
      expect(print()).not.toContain(HIDDEN);
    });
  }

  test.each(["String()", "a template", "JSON.stringify", "util.inspect", "Bun.inspect"])("says so by %s", (name) => {
    expect(PRINTED[name]?.()).toContain("«redacted»");
  });

  test("has no own properties: a spread, a copy and a walk find nothing", () => {
    expect(Object.entries(secret)).toEqual([]);
    expect(Reflect.ownKeys(secret)).toEqual([]);
    expect(Object.values({ ...(secret as object) })).toEqual([]);
    expect(JSON.stringify(Object.assign({}, secret))).toBe("{}");
    expect(Bun.inspect(structuredClone(secret))).not.toContain(HIDDEN);
  });

  test("is hidden from console.log", async () => {
    const script = `
      import { Secret } from ${JSON.stringify(`${import.meta.dir}/../core/secret.ts`)};
      const secret = new Secret("${HIDDEN}");
      console.log(secret, { nested: [secret] }, "%s", secret);
      console.error(secret);
      console.dir({ secret }, { depth: 9, showHidden: true });
      console.table([{ secret }]);
      throw new Error("failed", { cause: secret });`;
    const child = Bun.spawn([process.execPath, "-"], { stdin: new Blob([script]), stdout: "pipe", stderr: "pipe" });
    const printed = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    // Bun shows the lines of the source around the place that threw.
    const lines = printed.join("\n").split("\n");
    expect(lines.filter((line) => line.includes(HIDDEN) && !line.includes("new Secret("))).toEqual([]);
    expect(printed[0]).toContain("«redacted»");
  });

  test("holds what init hands out, which prints without shares and token", async () => {
    const settings = { shares: 3, threshold: 2, pgpKeys: [], rootTokenPgpKey: "" };
    const made = await initialise(openMemory(), testClock(), settings, async (given) => given);
    const printed = [Bun.inspect(made), inspect(made, { depth: null, showHidden: true }), JSON.stringify(made)].join();
    expect(printed).not.toContain(made.rootToken.reveal());
    for (const share of made.shares) {
      const bytes = share.reveal();
      expect(printed).not.toContain(bytes.toHex().slice(0, 16));
      expect(printed).not.toContain([...bytes.subarray(0, 4)].join(", "));
    }
  });

  test("is what it was to who asks", () => {
    expect(secret.reveal()).toBe(HIDDEN);
    const bytes = new Uint8Array([1, 2]);
    expect(new Secret(bytes).reveal()).toBe(bytes);
  });
});
