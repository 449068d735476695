import { expect, test } from "bun:test";
import { startCoffer } from "./harness.ts";

test("sys/health tells the time of the server, in whole seconds since 1970", async () => {
  await using server = await startCoffer();
  const before = Math.floor(Date.now() / 1000);
  const { body } = await server.call("GET", "sys/health");
  const time = Number(body["server_time_utc"]);
  expect(Number.isInteger(time)).toBe(true);
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(Math.floor(Date.now() / 1000));
});
