/** docs/metrics.md against the executable: every metric with its type, its labels and its words. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, startServer } from "./executable.ts";

interface Row {
  readonly name: string;
  readonly type: string;
  readonly labels: string;
  readonly help: string;
}

/** The families of a scrape as rows of the document. */
function rowsOf(text: string): Row[] {
  return text
    .trimEnd()
    .split("\n\n")
    .map((family) => {
      const [, name = "", help = ""] = /^# HELP (\S+) (.*)$/m.exec(family) ?? [];
      const type = /^# TYPE \S+ (\S+)$/m.exec(family)?.[1] ?? "";
      const labels = new Set(Array.from(family.matchAll(/[{,](\w+)="/g), ([, label = ""]) => label));
      labels.delete("le");
      return { name, type, labels: [...labels].sort().join(", "), help };
    });
}

function documented(): Row[] {
  const text = readFileSync(join(import.meta.dir, "../docs/metrics.md"), "utf8");
  return Array.from(text.matchAll(/^\| `(\w+)` +\| (\w+) +\| ([^|]*?) *\| (.*?) +\|$/gm), (row) => {
    const [, name = "", type = "", labels = "", help = ""] = row;
    return { name, type, labels: labels.replaceAll("`", ""), help };
  });
}

test("docs/metrics.md has what the executable answers, and nothing else", async () => {
  await using server = await startServer({ args: ["--storage", `file:${newFolder()}/store`] });
  const { token } = await server.initAndUnseal();
  const { text, headers } = await server.call("GET", "sys/metrics?format=prometheus", { token });
  expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(documented()).toEqual(rowsOf(text));
});
