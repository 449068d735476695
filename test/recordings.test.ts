/** The recorded answers of an existing server of this API, compared with those of the executable on a fresh file store. */
import { expect, test } from "bun:test";
import { newFolder, startServer } from "./executable.ts";
import { ACCEPTED } from "./recordings/accepted.ts";
import { differences } from "./recordings/compare.ts";
import { configOf } from "./recordings/configuration.ts";
import { readRecording, replay } from "./recordings/recording.ts";

for (const recording of [
  "init-unseal",
  "seal-status-health",
  "kv1",
  "errors",
  "rotate-and-config",
  "audit",
  "audit-by-api",
]) {
  test(`answers as recorded: ${recording}`, async () => {
    const { config } = configOf(readRecording(recording), newFolder());
    await using server = await startServer({ args: ["--config", config] });
    const accepted = new Set(ACCEPTED.filter((entry) => entry.recording === recording).map(({ name }) => name));
    const other: Record<string, string[]> = {};
    for await (const [{ name, response, volatile = [] }, got] of replay(server.port, readRecording(recording))) {
      const found = differences(response, got, volatile);
      if (found.length > 0) other[name] = found;
    }
    const names = Object.keys(other);
    expect(Object.fromEntries(names.filter((name) => !accepted.has(name)).map((name) => [name, other[name]]))).toEqual(
      {},
    );
    // A difference that is gone must not stay in the table: it would hide the next one.
    expect([...accepted].filter((name) => !names.includes(name))).toEqual([]);
  });
}
