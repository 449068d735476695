/** `sys/metrics`: what it counts, what it never tells, and to whom. */
import { describe, expect, test } from "bun:test";
import { renderPrometheus } from "../cli/metrics/prometheus.ts";
import { fileOf } from "./cli/spawn.ts";
import { newFolder, startServer } from "./executable.ts";
import { type Answer, startCoffer, type TestServer, wrapDriver } from "./harness.ts";
import { openMemory } from "../storage/memory.ts";
import { MAX_OPERATIONS } from "../core/barrier/keyring.ts";
import { pgpKey } from "./pgp-keys.ts";

const METRICS = "sys/metrics?format=prometheus";
const output = { render: renderPrometheus, ofProcess: () => [] };

/** The lines with a value, by what stands before it. */
function valuesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

async function scrape(server: Pick<TestServer, "call">, token: string): Promise<Map<string, number>> {
  const { status, text } = await server.call("GET", METRICS, { token });
  expect(status).toBe(200);
  return valuesOf(text);
}

describe("the metrics count", () => {
  test("requests by route and status, and how long they took", async () => {
    await using server = await startCoffer({ metrics: output });
    const { token } = await server.initAndUnseal();
    await server.call("POST", "sys/mounts/team", { token, body: { type: "kv" } });
    for (const name of ["a", "b"]) await server.call("PUT", `team/${name}`, { token, body: { name } });
    await server.call("GET", "team/none", { token });
    await server.call("GET", "elsewhere/none", { token });
    const values = await scrape(server, token);
    const written = 'engine="kv",operation="update",route=":path*"';
    expect(values.get(`coffer_requests_total{${written},status="204"}`)).toBe(2);
    expect(values.get('coffer_requests_total{engine="kv",operation="read",route=":path*",status="404"}')).toBe(1);
    expect(values.get('coffer_requests_total{engine="none",operation="",route="",status="404"}')).toBe(1);
    expect(values.get(`coffer_request_duration_seconds_count{${written}}`)).toBe(2);
    expect(values.get(`coffer_request_duration_seconds_bucket{${written},le="+Inf"}`)).toBe(2);
    expect(values.get("coffer_requests_in_flight")).toBe(1);
    expect(values.get("vault_core_handle_request_count")).toBe(
      [...values].reduce((sum, [name, value]) => sum + (name.startsWith("coffer_requests_total") ? value : 0), 0),
    );
  });

  test("how long each took, in the bucket where it belongs", async () => {
    const slow = wrapDriver(openMemory(), async (operation, _key, act) => {
      if (operation === "put") server.clock.advance(30);
      return act();
    });
    await using server = await startCoffer({ metrics: output, driver: slow });
    const { token } = await server.initAndUnseal();
    await server.call("POST", "sys/mounts/team", { token, body: { type: "kv" } });
    const before = await scrape(server, token);
    await server.call("PUT", "team/a", { token, body: { a: 1 } });
    const after = await scrape(server, token);
    const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('coffer_storage_operation_duration_seconds_sum{operation="put"}')).toBeCloseTo(0.03);
    const bucket = (le: string) =>
      `coffer_request_duration_seconds_bucket{engine="kv",operation="update",route=":path*",le="${le}"}`;
    expect([grown(bucket("0.025")), grown(bucket("0.05")), grown(bucket("+Inf"))]).toEqual([0, 1, 1]);
  });

  test("barrier operations, and storage operations that failed", async () => {
    let isBroken = false;
    const driver = wrapDriver(openMemory(), (_operation, _key, act) =>
      isBroken ? Promise.reject(new Error("no storage")) : act(),
    );
    await using server = await startCoffer({ metrics: output, driver });
    const { token } = await server.initAndUnseal();
    await server.call("POST", "sys/mounts/team", { token, body: { type: "kv" } });
    const before = await scrape(server, token);
    await server.call("PUT", "team/a", { token, body: { a: 1 } });
    await server.call("GET", "team/a", { token });
    isBroken = true;
    expect((await server.call("DELETE", "team/a", { token })).status).toBe(500);
    isBroken = false;
    const after = await scrape(server, token);
    const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('coffer_barrier_operations_total{operation="put"}')).toBe(1);
    expect(grown('coffer_barrier_operations_total{operation="delete"}')).toBe(1);
    expect(grown('coffer_storage_failures_total{operation="delete"}')).toBe(1);
    expect(grown('coffer_storage_failures_total{operation="put"}')).toBe(0);
  });

  test("the encryptions of the active key as sys/key-status does, their share of the limit, and its age", async () => {
    await using server = await startCoffer({ metrics: output });
    const { token } = await server.initAndUnseal();
    server.clock.advance(90_000);
    const set = (body: object) => server.call("POST", "sys/rotate/config", { token, body });
    const limits: [settings: object, limit: number][] = [
      [{ max_operations: 2_000_000 }, 2_000_000],
      [{ enabled: false }, MAX_OPERATIONS],
    ];
    for (const [settings, limit] of limits) {
      await set(settings);
      const values = await scrape(server, token);
      const { encryptions, term } = (await server.call("GET", "sys/key-status", { token })).body;
      expect(values.get("coffer_term")).toBe(Number(term));
      expect(values.get("coffer_term_encryptions")).toBe(Number(encryptions));
      expect(values.get("coffer_term_encryptions_limit")).toBe(limit);
      expect(values.get("coffer_term_encryptions_ratio")).toBe(Number(encryptions) / limit);
      expect(values.get("coffer_term_age_seconds")).toBe(90);
    }
  });

  test("wrong tokens and key shares", async () => {
    await using server = await startCoffer({ metrics: output });
    const { token, keys } = await server.initAndUnseal();
    await server.call("GET", "sys/mounts", { token: "no-token" });
    await server.call("GET", "sys/mounts");
    await server.call("PUT", "sys/generate-share/update", { body: { key: keys[0]?.replace(/^../, "zz") } });
    const values = await scrape(server, token);
    expect(values.get('coffer_refusals_total{guess="token"}')).toBe(1);
    expect(values.get('coffer_refusals_total{guess="share"}')).toBe(1);
  });

  test("what became of attempts to make a share", async () => {
    await using server = await startCoffer({ metrics: output });
    const { token, keys } = await server.initAndUnseal(3, 2);
    const { armored } = await pgpKey("rsa2048");
    const attempt = "sys/generate-share/attempt";
    const start = () => server.call("PUT", attempt, { token, body: { pgp_key: armored } });
    await start();
    await server.call("DELETE", attempt, { token });
    await server.call("DELETE", attempt, { token });
    await start();
    server.clock.advance(3_600_000);
    await start();
    for (const key of keys.slice(0, 2)) await server.call("PUT", "sys/generate-share/update", { body: { key } });
    // The answer again is not another share.
    await server.call("PUT", "sys/generate-share/update", { body: { key: keys[0] } });
    const values = await scrape(server, token);
    const events = ["started", "cancelled", "expired", "completed"];
    const counts = events.map((event) => values.get(`coffer_generate_share_attempts_total{event="${event}"}`));
    expect(counts).toEqual([3, 1, 1, 1]);
  });
});

test("the number of time series does not grow with what clients send, nor does any of it show", async () => {
  await using server = await startCoffer({ metrics: output, refusalsPerMinute: 1_000_000 });
  const { token, keys } = await server.initAndUnseal();
  const send = async (round: number) => {
    await server.call("POST", `sys/mounts/m0unt${round}`, { token, body: { type: "kv" } });
    await server.call("PUT", `m0unt${round}/p4th${round}`, { token, body: { v4lue: "v4lue" } });
    await server.call("GET", `m0unt${round}/p4th${round}`, { token });
    await server.call("GET", `m0unt${round}/p4th${round}`, { token: `t0ken${round}` });
    await server.call("GET", `p4th${round}/a`, { token });
    await server.call("GET", `sys/health?activecode=${200 + round}`);
    await server.call("PUT", "sys/unseal", { body: { key: `k3y${round}` } });
    return (await server.call("GET", METRICS, { token })).text;
  };
  const first = await send(0);
  await send(1);
  const sizes = new Set<number>();
  let last = "";
  for (let round = 2; round < 60; round += 1) {
    last = await send(round);
    if (round > 5) sizes.add(valuesOf(last).size);
  }
  expect(sizes.size).toBe(1);
  for (const planted of [/m0unt|p4th|t0ken|k3y|v4lue/, new RegExp(token), new RegExp(keys.join("|"))]) {
    expect(first + last).not.toMatch(planted);
  }
});

describe("who may read them", () => {
  const SEALED = { errors: ["Vault is sealed"] };
  async function seal(server: TestServer, token: string): Promise<void> {
    await server.call("PUT", "sys/seal", { token });
  }

  test("needs a token, which nobody can check while sealed", async () => {
    await using server = await startCoffer({ metrics: output });
    const { token } = await server.initAndUnseal();
    expect((await server.call("GET", METRICS)).status).toBe(403);
    await seal(server, token);
    expect(await server.call("GET", METRICS, { token })).toMatchObject({ status: 503, body: SEALED });
  });

  test("is everybody where the configuration says so, also while sealed", async () => {
    const config = fileOf("coffer.toml", "[telemetry]\nunauthenticated_metrics_access = true");
    await using server = await startServer({ args: ["--config", config, "--storage", `file:${newFolder()}/store`] });
    const unsealed = async () => valuesOf((await server.call("GET", METRICS)).text).get("coffer_unsealed");
    expect(await unsealed()).toBe(0);
    const { token } = await server.initAndUnseal();
    expect(await unsealed()).toBe(1);
    await server.call("PUT", "sys/seal", { token });
    expect(await unsealed()).toBe(0);
    expect((await server.call("GET", "sys/in-flight-req")).status).toBe(503);
  });

  test("is nobody where the server keeps none", async () => {
    await using server = await startCoffer();
    const { token } = await server.initAndUnseal();
    for (const path of [METRICS, "sys/metrics", "sys/host-info"]) {
      const { status, body } = await server.call("GET", path, { token });
      expect({ status, body }).toEqual({
        status: 404,
        body: { errors: ["1 error occurred:\n\t* unsupported path\n\n"] },
      });
    }
  });
});

describe("the form", () => {
  async function ask(query: string): Promise<Answer> {
    await using server = await startCoffer({ metrics: output });
    const { token } = await server.initAndUnseal();
    return await server.call("GET", `sys/metrics${query}`, { token });
  }

  test("is Vault's summary unless told", async () => {
    const { status, body, headers } = await ask("");
    expect({ status, type: headers.get("content-type") }).toEqual({ status: 200, type: "application/json" });
    expect(Object.keys(body)).toEqual(["Timestamp", "Gauges", "Points", "Counters", "Samples"]);
    expect(body["Timestamp"]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC$/);
    expect(body["Gauges"]).toContainEqual({ Name: "vault_core_unsealed", Value: 1, Labels: {} });
    const unseal = { engine: "system", operation: "update", route: "sys/unseal" };
    const total = { Count: 3, Rate: 0, Min: 0, Max: 0, Stddev: 0 };
    expect(body["Counters"]).toContainEqual({
      Name: "coffer_requests_total",
      ...total,
      Sum: 3,
      Mean: 1,
      Labels: { ...unseal, status: "200" },
    });
    expect(body["Samples"]).toContainEqual({
      Name: "coffer_request_duration_seconds",
      ...total,
      Sum: 0,
      Mean: 0,
      Labels: unseal,
    });
  });

  test("that is not known is refused", async () => {
    const { status, text, headers } = await ask("?format=hunter2");
    expect({ status, text, type: headers.get("content-type") }).toEqual({
      status: 400,
      text: "metric response format unknown",
      type: "text/plain",
    });
  });
});

test("a storage that cannot be read leaves the key's metrics out, and the others stay", async () => {
  let isBroken = false;
  const driver = wrapDriver(openMemory(), (operation, key, act) =>
    isBroken && operation === "get" && key === "core/keyring" ? Promise.reject(new Error("no storage")) : act(),
  );
  await using server = await startCoffer({ metrics: output, driver });
  const { token } = await server.initAndUnseal();
  isBroken = true;
  const values = await scrape(server, token);
  expect(values.has("coffer_term")).toBe(false);
  expect(values.get("coffer_unsealed")).toBe(1);
  expect(server.log.lines.join("\n")).toContain("the metrics of the encryption key are left out");
});
