/** The answer to an init, which nobody can ask for again: recorded first, and only then is the store initialised. */
import { expect, test } from "bun:test";
import { appendFileSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { declare, testDevice } from "./audit-device.ts";
import { mountDisk, skipDisks } from "./disk.ts";
import { newFolder, type Server, startServer } from "./executable.ts";
import { type Answer, memoryOver, startCoffer, testClock, type TestServer } from "./harness.ts";

/** What a file of a tmpfs grows by. */
const PAGE = 4096;

function init(server: Server | TestServer): Promise<Answer> {
  return server.call("PUT", "sys/init", { body: { secret_shares: 3, secret_threshold: 2 } });
}

const isInitialised = async (server: Server | TestServer) => (await server.call("GET", "sys/init")).body["initialized"];

/** Unseals with what an init answered, and uses the token that it gave. */
async function proveWorking(server: Server | TestServer, { status, body }: Answer): Promise<void> {
  expect(status).toBe(200);
  const { keys, root_token: token } = body as { keys: string[]; root_token: string };
  await server.unseal(keys);
  expect((await server.call("GET", "auth/token/lookup-self", { token })).status).toBe(200);
}

test.each([true, false])(
  "that no device takes leaves the store to the next init (of one process: %p)",
  async (alone) => {
    const device = testDevice();
    await using server = await startCoffer({
      driver: memoryOver(new Map(), alone),
      audit: declare({ failing: device }),
    });
    device.failing = ({ type }) => type === "response";
    const { status, text } = await init(server);
    expect([status, text]).toEqual([500, '{"errors":["internal error"]}\n']);
    expect(await isInitialised(server)).toBe(false);
    device.failing = () => false;
    device.fresh();
    const answer = await init(server);
    expect(device.fresh().map(({ type }) => type)).toEqual(["request", "response"]);
    await proveWorking(server, answer);
  },
);

test("that is recorded when another node has initialised the store is followed by what became of it", async () => {
  const [store, clock, device] = [new Map<string, Uint8Array>(), testClock(), testDevice()];
  const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const write = device.write.bind(device);
  device.write = async (line) => {
    if (line.includes('"type":"response"')) {
      reached.resolve();
      await goOn.promise;
    }
    return write(line);
  };
  await using slow = await startCoffer({ driver: memoryOver(store, false), clock, audit: declare({ slow: device }) });
  await using other = await startCoffer({ driver: memoryOver(store, false), clock });
  const overtaken = init(slow);
  await reached.promise;
  // The claim of the first is as good as that of a node that died.
  clock.advance(60_000);
  const won = await init(other);
  goOn.resolve();
  const { status, text } = await overtaken;
  expect([status, text]).toEqual([400, '{"errors":["Vault is being initialized on another node"]}\n']);
  const lines = device.lines().map(({ type, error }) => [type, error]);
  expect(lines).toEqual([
    ["request", undefined],
    ["response", undefined],
    ["response", expect.stringContaining("invalid request")],
  ]);
  await proveWorking(slow, won);
  await proveWorking(other, won);
});

test.skipIf(skipDisks !== "")(
  `that finds the audit disk full leaves the store to the next init${skipDisks}`,
  async () => {
    using disk = mountDisk("1m");
    const folder = disk?.path ?? "";
    const [file, filler] = [join(folder, "audit.log"), join(folder, "filler")];
    const config = join(newFolder(), "coffer.toml");
    const storage = `storage = "file:${newFolder()}"`;
    writeFileSync(config, `${storage}\n[[audit]]\ntype = "file"\noptions = { file_path = "${file}" }\n`);
    const args = ["--config", config];
    await using server = await startServer({ args });

    // One that is refused tells how long a request's entry is; what is left of the page then has room for one, and no more.
    await server.call("PUT", "sys/init", { body: { secret_shares: 0 } });
    const entry = readFileSync(file, "utf8").indexOf("\n") + 1;
    const room = PAGE - (statSync(file).size % PAGE);
    appendFileSync(file, `${"x".repeat(room - entry - 51)}\n`);
    Bun.spawnSync(["dd", "if=/dev/zero", `of=${filler}`, "bs=512"], { stderr: "ignore" });

    expect((await init(server)).status).toBe(500);
    expect(readFileSync(file, "utf8").split("\n").at(-2)).toInclude('"type":"request"');
    await server.until(() => server.stderr.includes("ENOSPC"));
    expect(await isInitialised(server)).toBe(false);
    // Nor does a process that dies now leave a store behind that nobody can open.
    await server.kill();
    rmSync(filler);
    await using next = await startServer({ args });
    expect(await isInitialised(next)).toBe(false);
    await proveWorking(next, await init(next));
  },
);
