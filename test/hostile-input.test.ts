/**
 * Hostile values in every field of every route that the plugins declare: the answer is always a success or a refusal in
 * the form of one, never a failure of the server, it is recorded, and what was sent as a value is in no refusal, in no line of
 * the log and in no line of the audit device.
 */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Route } from "../core/plugin.ts";
import { plugins } from "../plugins/index.ts";
import { declare, testDevice } from "./audit-device.ts";
import { startServer } from "./executable.ts";
import { runs, startCoffer, type TestServer } from "./harness.ts";

/** In every text that is sent as a value. */
const PLANTED = "plant3d-v4lue";
/** In every text that is sent in a path, which is no secret to a log at level debug. */
const PLACE = "pl4ce";

/** Fields of the bodies that are decoded into fixed structs, whose schemas do not list them. */
const STRUCT_FIELDS = ["key", "reset", "migrate", "secret_shares", "secret_threshold", "pgp_keys"].concat([
  "root_token_pgp_key",
  "recovery_shares",
  "recovery_threshold",
  "recovery_pgp_keys",
]);

const routes: readonly Route[] = plugins.flatMap((plugin) => {
  if (plugin.kind === "system") return plugin.routes({} as never);
  const mounted = plugin.mount({ view: {} as never, defaultLeaseTtl: () => 0 });
  return mounted.map((route) => ({ ...route, path: `kv/${route.path}` }));
});
const METHODS = { read: "GET", list: "LIST", update: "POST", patch: "PATCH", delete: "DELETE" } as const;

const fieldNames = [...new Set(routes.flatMap(({ body }) => fieldsOf(body)))].concat(STRUCT_FIELDS, [
  "unknown",
  "__proto__",
]);

function fieldsOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null || !("entries" in schema)) return [];
  return Object.keys(schema.entries as object);
}

const text = fc.oneof(
  fc.constantFrom(
    PLANTED,
    `${PLANTED}\n`,
    `s.${PLANTED}`,
    `${PLANTED}=1,${PLANTED}`,
    `{"a":"${PLANTED}"}`,
    `1h${PLANTED}`,
  ),
  fc.string({ unit: "binary", maxLength: 20 }).map((noise) => noise.slice(0, 10) + PLANTED + noise.slice(10)),
  fc
    .string({ unit: fc.constantFrom("\u0000", "\ud800", "\u2028", "%", "'", '"', "\\", "<"), maxLength: 9 })
    .map((odd) => odd + PLANTED),
);
const scalar = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.constantFrom(null, true, false, "", "true", "1h", "system", "kv", "root", "service"),
  fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -1, 1, 2, 2 ** 53, 1e300)),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: "small", withCrossShrink: true }, scalar, tie("list"), tie("map")),
  list: fc.array(tie("any"), { maxLength: 3 }),
  map: fc.dictionary(fc.oneof(fc.constantFrom(...fieldNames), text), tie("any"), {
    maxKeys: 3,
    noNullPrototype: false,
  }),
})).any;
const segment = fc.constantFrom(
  "kv",
  "x",
  "a",
  "sys",
  "auth",
  "__proto__",
  "constructor",
  PLACE,
  `${PLACE} %'"`,
  "tune",
);

/** One in ten; null otherwise. */
function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
}

const request = fc.record({
  route: fc.constantFrom(...routes),
  path: fc.array(segment, { minLength: 1, maxLength: 3 }),
  fields: fc.dictionary(fc.constantFrom(...fieldNames), value, { maxKeys: 6, noNullPrototype: false }),
  token: rarely(text.map((token) => token.replaceAll(/[^ -~]/g, ""))),
  /** In the place of the object of all fields. */
  other: rarely(value),
  cut: fc.nat({ max: 4 }).map((n) => n === 0),
});
type Hostile = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** Texts that are no secrets to an audit line; of the fields that were sent, warnings hold the names. */
const IN_CLEAR = new Set(["metadata", "warnings"]);

/** All other texts in an audit line. The names of fields are in the clear, too. */
function valuesOf(line: unknown): string {
  if (typeof line !== "object" || line === null) return `${String(line)}\n`;
  const members = Object.entries(line).filter(([name]) => !IN_CLEAR.has(name));
  return members.map(([, member]) => valuesOf(member)).join("");
}

/** Bodies that are no JSON, and what has to wait for an unseal: refused before the token is looked at. */
const REFUSED_BEFORE = /failed to decode JSON input: (?!json: .* Go struct field )|Vault is sealed/;

async function send(server: TestServer, { route, path, fields, token, other, cut }: Hostile, own: string) {
  const place = path.map(encodeURIComponent);
  let target = route.path.replace(/:\w+[+*]/, place.join("/")).replace(/:\w+/, place[0] ?? "");
  const headers: Record<string, string> = {};
  const isWrite = route.operation === "update" || route.operation === "patch";
  if (!isWrite) {
    const pairs = Object.entries(fields).map(([name, sent]) => [name, JSON.stringify(sent)]);
    target += `?${new URLSearchParams(pairs as [string, string][]).toString()}`;
  }
  if (route.operation === "patch") headers["content-type"] = "application/merge-patch+json";
  const json = JSON.stringify(other ?? fields);
  const body = cut ? json.slice(0, -1) : json;
  return server.call(METHODS[route.operation], target, { token: token ?? own, headers, ...(isWrite && { body }) });
}

test.each([["unsealed"], ["sealed"], ["uninitialised"]] as const)(
  "hostile values are taken or refused, and never repeated: %s",
  async (state) => {
    const device = testDevice();
    await using server = await startCoffer({ refusalsPerMinute: 1_000_000, audit: declare({ one: device }) });
    const { token: root, keys } =
      state === "uninitialised" ? { token: "x", keys: [] } : await server.initAndUnseal(3, 2);
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(request, async (hostile) => {
        let own = root;
        if (state === "unsealed") {
          // The request may seal the server or revoke its token.
          if ((await server.call("GET", "sys/seal-status")).body["sealed"] === true) await server.unseal(keys);
          await server.call("POST", "sys/mounts/kv", { token: root, body: { type: "kv" } });
          const made = await server.call("POST", "auth/token/create", { token: root, body: { no_parent: true } });
          own = (made.body["auth"] as { client_token: string }).client_token;
        } else if (state === "sealed") {
          await server.call("PUT", "sys/seal", { token: root });
        }
        device.fresh();
        const { status, text: answer, body } = await send(server, hostile, own);
        statuses.add(status);
        const recorded = device.fresh().map(({ type }) => type);
        const passesBy = !hostile.route.audited || (status >= 400 && REFUSED_BEFORE.test(answer));
        expect([answer, recorded]).toEqual([answer, passesBy ? [] : ["request", "response"]]);
        if (status >= 200 && status < 300) return;
        // Health tells its state by the status.
        if (hostile.route.path === "sys/health" && (status === 501 || status === 503)) return;
        expect(status === 503 && state !== "unsealed" ? 400 : status).toBeWithin(400, 500);
        if (answer !== "") expect(body).toEqual({ errors: expect.any(Array) });
        expect(answer).not.toContain(PLANTED);
      }),
      { numRuns: runs(1500) },
    );
    const expected = { unsealed: [200, 204, 400, 403, 404], sealed: [200, 400, 503], uninitialised: [200, 400, 503] };
    expect([...statuses]).toEqual(expect.arrayContaining(expected[state]));
    for (const line of device.lines()) expect(valuesOf(line)).not.toContain(PLANTED);
    for (const line of server.log.lines) {
      expect(line).not.toContain(PLANTED);
      if (!line.includes(`"level":"debug"`)) expect(line).not.toContain(PLACE);
    }
  },
  120_000,
);

test("what is planted in any place of a request is in no line of the executable's log, paths at level debug excepted", async () => {
  for (const level of ["info", "debug"]) {
    await using server = await startServer({ args: ["--storage", "memory:", "--log-level", level] });
    const { token } = await server.initAndUnseal();
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    const secret = { [PLANTED]: PLANTED };
    const answers = [
      await server.call("PUT", `kv/${PLACE}`, { token, body: secret }),
      await server.call("GET", `kv/${PLACE}`, { token: PLANTED }),
      await server.call("GET", `kv/${PLACE}`, { headers: { authorization: `Bearer ${PLANTED}` } }),
      await server.call("GET", `kv/${PLACE}?${PLANTED}=${PLANTED}&list=${PLANTED}`, { token }),
      await server.call("PUT", `kv/${PLACE}`, { token, body: `{"a":"${PLANTED}` }),
      await server.call("PUT", `kv/${PLACE}`, { token, body: JSON.stringify(PLANTED) }),
      await server.call("PATCH", `kv/${PLACE}`, { token, headers: { "content-type": PLANTED } }),
      await server.call("GET", "sys/key-status", { token, headers: { "x-vault-wrap-ttl": PLANTED } }),
      await server.call("GET", "sys/key-status", { token, headers: { "x-vault-namespace": PLANTED } }),
      await server.call("POST", "auth/token/create", { token, body: { id: PLANTED, meta: secret, ttl: PLANTED } }),
      await server.call("POST", "sys/mounts/x", { token, body: { type: PLANTED, options: secret } }),
      await server.call("POST", "sys/mounts/x", { token, body: { type: "kv", options: { version: PLANTED } } }),
      await server.call("PUT", "sys/init", { body: { secret_shares: PLANTED, root_token_pgp_key: PLANTED } }),
      await server.call("PUT", "sys/seal", { token }),
      await server.call("PUT", "sys/unseal", { body: { key: PLANTED } }),
      await server.call("PUT", "sys/unseal", { body: { key: Buffer.from(PLANTED.repeat(2)).toString("hex") } }),
    ];
    for (const { text: answer } of answers) expect(answer).not.toContain(PLANTED);
    expect(await server.stop()).toBe(0);
    expect(server.stdout + server.stderr).not.toContain(PLANTED);
    expect(server.stderr).not.toContain(Buffer.from(PLANTED).toString("hex"));
    expect(server.stderr).not.toContain(token);
    const naming = server.log.filter((line) => JSON.stringify(line).includes(PLACE));
    expect(naming.map((line) => line["level"])).toEqual(level === "debug" ? naming.map(() => "debug") : []);
    expect(naming.length > 0).toBe(level === "debug");
  }
});
