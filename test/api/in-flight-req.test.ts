/** `sys/in-flight-req` and `sys/host-info`. */
import { expect, test } from "bun:test";
import { newFolder, startServer } from "../executable.ts";
import { startCoffer } from "../harness.ts";
import { aNumber, aString, envelope, table, UUID } from "./table.ts";

table("what waits for its answer", "sealed", [
  {
    name: "is told to nobody while sealed",
    request: { path: "sys/in-flight-req" },
    status: 503,
    errors: ["Vault is sealed"],
  },
]);

table("what waits for its answer", "unsealed", [
  {
    name: "needs a token",
    request: { path: "sys/in-flight-req", token: "" },
    status: 403,
    errors: ["permission denied"],
  },
  {
    name: "cannot be written",
    request: { method: "PUT", path: "sys/in-flight-req" },
    status: 405,
    errors: ["1 error occurred:\n\t* unsupported operation\n\n"],
  },
]);

test("every request that waits for its answer is listed, with its path decoded and who sent it", async () => {
  await using server = await startCoffer();
  const { token } = await server.initAndUnseal();
  const body = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await body.promise;
      controller.close();
    },
  });
  const slow = server.call("PUT", "secret/a%20b", { token, address: "2001:db8::1", body: stream });
  server.clock.advance(1500);
  const list = async () => Object.entries((await server.call("GET", "sys/in-flight-req", { token })).body);
  const own = {
    start_time: "2026-01-01T00:00:01.500Z",
    client_remote_address: "",
    request_path: "/v1/sys/in-flight-req",
    request_method: "GET",
    client_id: "",
  };
  const other = {
    start_time: "2026-01-01T00:00:00.000Z",
    client_remote_address: "2001:db8::1",
    request_path: "/v1/secret/a b",
    request_method: "PUT",
    client_id: "",
  };
  expect(await list()).toEqual([
    [UUID, other],
    [UUID, own],
  ] as never);
  body.resolve();
  await slow;
  expect(await list()).toEqual([[UUID, own]] as never);
});

test("sys/host-info tells of processors, disks, memory and the system", async () => {
  await using server = await startServer({ args: ["--storage", `file:${newFolder()}/store`] });
  const { token } = await server.initAndUnseal();
  expect((await server.call("GET", "sys/host-info")).status).toBe(403);
  const { status, body } = await server.call("GET", "sys/host-info", { token });
  expect(status).toBe(200);
  const { cpu, cpu_times, disk, host, memory, timestamp } = body["data"] as Record<string, unknown[] & object>;
  const whole: unknown = body;
  expect(whole).toEqual(envelope({ timestamp: aString, cpu, cpu_times, disk, host, memory }));
  expect(Date.parse(String(timestamp))).toBeWithin(Date.now() - 60_000, Date.now() + 1);
  expect(cpu?.[0]).toEqual({ cpu: 0, modelName: aString, mhz: aNumber, cores: 1 });
  expect(cpu_times?.[0]).toMatchObject({ cpu: "cpu0", user: aNumber, system: aNumber, idle: aNumber });
  for (const each of (disk ?? []) as Record<string, unknown>[])
    expect(each).toMatchObject({ path: aString, fstype: aString, total: aNumber });
  expect(host).toMatchObject({ hostname: aString, uptime: aNumber, os: process.platform, kernelVersion: aString });
  expect(memory).toMatchObject({ total: aNumber, available: aNumber, used: aNumber });
});
