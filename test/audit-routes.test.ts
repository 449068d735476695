/** Every route that there is, taken from the plugins themselves: what it is asked is recorded, and what it answers. */
import { describe, expect, test } from "bun:test";
import type { Needs, Route, View } from "../core/plugin.ts";
import { plugins } from "../plugins/index.ts";
import { declare, testDevice } from "./audit-device.ts";
import { startCoffer, type TestServer } from "./harness.ts";

const PASS_BY = ["read sys/health", "read sys/init", "read sys/leader", "read sys/seal-status"];
const METHODS = { read: "GET", list: "LIST", update: "PUT", patch: "PATCH", delete: "DELETE" } as const;

/** Routes are data: declaring them calls nothing of what they need. */
const NOTHING = {} as Needs & View;
const routes: readonly Route[] = plugins.flatMap((plugin) => {
  if (plugin.kind === "system") return plugin.routes(new Proxy(NOTHING, { get: () => NOTHING }));
  const mounted = plugin.mount({ view: NOTHING, defaultLeaseTtl: () => 0 });
  return mounted.map((route) => ({ ...route, path: `kv/${route.path}` }));
});
const named = routes.map((route): [string, Route] => [`${route.operation} ${route.path}`, route]);

/** A path that the route answers. */
function pathOf({ path, operation }: Route): string {
  return path.replaceAll(/:\w+[+*]?/g, "some") + (operation === "list" ? "/" : "");
}

function ask(server: TestServer, route: Route, token?: string) {
  const headers = route.operation === "patch" ? { "content-type": "application/merge-patch+json" } : {};
  const body = ["update", "patch"].includes(route.operation) ? { body: { field: "hunter2" } } : {};
  return server.call(METHODS[route.operation], pathOf(route), {
    headers,
    ...body,
    ...(token !== undefined && { token }),
  });
}

async function openServer() {
  const device = testDevice();
  const server = await startCoffer({ audit: declare({ one: device }) });
  const { token, keys } = await server.initAndUnseal();
  await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
  device.fresh();
  return { device, server, token, keys };
}

test("what passes audit by is what monitors ask", () => {
  expect(routes.length).toBeGreaterThan(30);
  expect(
    named
      .filter(([, { audited }]) => !audited)
      .map(([name]) => name)
      .sort(),
  ).toEqual(PASS_BY);
});

describe.each(named)("%s", (name, route) => {
  const count = PASS_BY.includes(name) ? 0 : 2;

  test("is recorded", async () => {
    const { server, device, token } = await openServer();
    await using _ = server;
    await ask(server, route, token);
    const lines = device.fresh();
    expect(lines.map(({ type, request: { path, operation } }) => [type, path, operation])).toEqual(
      [
        ["request", pathOf(route), route.operation],
        ["response", pathOf(route), route.operation],
      ].slice(0, count),
    );
    expect(new Set(lines.map(({ request }) => request.id)).size).toBe(count / 2);
    expect(device.texts.join("")).not.toContain("hunter2");
  });

  test("is recorded without a token, and when that is refused", async () => {
    const { server, device } = await openServer();
    await using _ = server;
    for (const token of [undefined, "hvs.of-nobody"]) {
      await ask(server, route, token);
      const [asked, answered] = device.fresh();
      expect([asked?.type, answered?.type]).toEqual(count === 0 ? [undefined, undefined] : ["request", "response"]);
      expect(asked?.error).toBe(route.access === "none" ? undefined : "permission denied");
    }
    expect(device.texts.join("")).not.toContain("hvs.of-nobody");
  });

  test("does nothing while it cannot be recorded, unless it passes audit by", async () => {
    const { server, device, token } = await openServer();
    await using _ = server;
    device.failing = () => true;
    const { status, text } = await ask(server, route, token);
    if (count === 0) expect(status).toBe(200);
    else expect([status, text]).toEqual([500, '{"errors":["internal error"]}\n']);
    device.failing = () => false;
    expect((await server.call("GET", "auth/token/lookup-self", { token })).status).toBe(200);
    expect((await server.call("GET", "kv/some", { token })).status).toBe(404);
  });
});

test.each(named.filter(([, { form }]) => form !== "bare"))(
  "what has no route beside %s is recorded, whoever asks, and refused",
  async (_name, route) => {
    const { server, device, token } = await openServer();
    await using _ = server;
    for (const [operation, method, query] of [
      ["header", "HEAD", ""],
      ["scan", "GET", "?scan=true"],
      ["help", "GET", "?help=1"],
    ] as const) {
      for (const known of [token, "hvs.of-nobody"]) {
        const { status } = await server.call(method, pathOf(route) + query, { token: known });
        expect(status).toBeOneOf(known === token ? [404, 405] : [403]);
        const lines = device.fresh();
        expect(lines.map(({ type, request }) => [type, request["operation"]])).toEqual([
          ["request", operation],
          ["response", operation],
        ]);
      }
    }
  },
);

test.each(named.filter(([, { whileSealed }]) => whileSealed === true))(
  "%s is recorded while sealed, without bodies",
  async (name, route) => {
    const { server, device, token } = await openServer();
    await using _ = server;
    await server.call("PUT", "sys/seal", { token });
    device.fresh();
    await ask(server, route, token);
    const lines = device.fresh();
    expect(lines.length).toBe(PASS_BY.includes(name) ? 0 : 2);
    for (const { request, response, auth } of lines) {
      expect([request["data"], response?.["data"], auth]).toEqual([undefined, undefined, { token_type: "default" }]);
    }
  },
);

test("of a request without a valid token many values are left out, so that nobody can fill the disk", async () => {
  const { server, device, token } = await openServer();
  await using _ = server;
  device.fresh();
  const many = { many: Array.from({ length: 900 }, () => "") };
  const few = { user: "a", password: "b" };
  await server.call("PUT", "kv/x", { body: many });
  await server.call("PUT", "kv/x", { body: few });
  await server.call("PUT", "kv/x", { token, body: many });
  const data = device.fresh().map(({ request }) => Object.keys(request["data"] ?? {}));
  expect(data).toEqual([[], [], ["user", "password"], ["user", "password"], ["many"], ["many"]]);
});

test("a query has a limited number of parameters", async () => {
  const { server, device, token } = await openServer();
  await using _ = server;
  device.fresh();
  const read = (count: number) => {
    const parameters = Array.from({ length: count }, (_none, index) => `p${index}=1`);
    return server.call("GET", `kv/x?${parameters.join("&")}`, { token });
  };
  expect((await read(101)).status).toBe(400);
  expect(device.fresh()).toEqual([]);
  expect((await read(100)).status).toBe(404);
});
