/** Input that is wrong: refused in words that hold nothing of it, with nothing lost and nothing half done. */
import { describe, expect, test } from "bun:test";
import { startServer } from "./executable.ts";
import { startCoffer } from "./harness.ts";
import { exchange } from "./raw-http.ts";

const MALFORMED = "failed to decode JSON input: ";
const COMPLEX = "refused JSON input due to high complexity: ";
const strings = (count: number) => JSON.stringify({ a: Array.from({ length: count - 1 }, () => "x") });
const levels = (count: number) => `{"a":${"[".repeat(count - 1)}${"]".repeat(count - 1)}}`;

/** Bodies that no write of any route takes, and what is said of them. */
const BODIES: readonly (readonly [name: string, body: string | Uint8Array, error: string])[] = [
  ["an open brace", "{", `${MALFORMED}unexpected EOF`],
  ["text", "hello", `${MALFORMED}invalid character 'h' looking for beginning of value`],
  ["a list", "[]", `${MALFORMED}json: cannot unmarshal array into Go value of type map[string]interface {}`],
  ["a string", `"x"`, `${MALFORMED}json: cannot unmarshal string into Go value of type map[string]interface {}`],
  ["a byte order mark", "\ufeff{}", `${MALFORMED}invalid character 'ï' looking for beginning of value`],
  ["text after the value", `{} x`, `${MALFORMED}invalid character 'x' looking for beginning of value`],
  ["a trailing comma", `{"a":1,}`, `${MALFORMED}invalid character '}' looking for beginning of object key string`],
  ["a line break in a string", `{"a":"\n"}`, `${MALFORMED}invalid character '\\n' in string literal`],
  ["bytes", new Uint8Array([0, 255, 1]), `${MALFORMED}invalid character '\\x00' looking for beginning of value`],
  ["1e400", `{"a":1e400}`, `${MALFORMED}json: cannot unmarshal number into Go value of type float64: in field "a"`],
  ["1001 strings", strings(1001), `${COMPLEX}exceeded maximum number of strings`],
  ["501 levels", levels(501), `${COMPLEX}exceeded maximum depth`],
];

/** Every route that takes a body. */
const WRITES = ["sys/init", "sys/unseal", "sys/seal", "sys/step-down", "sys/mounts/new", "sys/mounts/kv/tune"].concat([
  "auth/token/create",
  "auth/token/lookup-self",
  "auth/token/revoke-self",
  "kv/a",
  "none/a",
]);

/** What is stored, without the keyring, in which encryptions are counted. */
function contentOf(store: ReadonlyMap<string, Uint8Array>): Map<string, string> {
  const entries = [...store].filter(([path]) => path !== "core/keyring");
  return new Map(entries.map(([path, value]) => [path, Buffer.from(value).toString("hex")]));
}

describe("a body that no route takes", () => {
  test.each(WRITES.map((path) => [path]))("is refused, and nothing changes: %s", async (path) => {
    const store = new Map<string, Uint8Array>();
    await using server = await startCoffer({ store });
    const { token } = await server.initAndUnseal(3, 2);
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    await server.call("PUT", "kv/a", { token, body: { was: "here" } });
    const before = contentOf(store);
    for (const [name, body, error] of BODIES) {
      const { status, body: answer } = await server.call("POST", path, { token, body });
      expect([name, status, answer]).toEqual([name, 400, { errors: [error] }]);
    }
    expect(contentOf(store)).toEqual(before);
    expect((await server.call("GET", "sys/seal-status")).body).toMatchObject({ sealed: false, progress: 0 });
  });

  test("at the limits it is taken", async () => {
    await using server = await startCoffer();
    const { token } = await server.initAndUnseal(3, 2);
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    for (const body of [strings(1000), levels(500), `{"a":1e308}`]) {
      expect((await server.call("PUT", "kv/a", { token, body })).status).toBe(204);
      const { text } = await server.call("GET", "kv/a", { token });
      expect(text).toContain(`"data":${body},`);
    }
  });
});

describe("a body over the limit", () => {
  const KIB = 1024;
  /** White space alone is an empty body. */
  const spaces = (length: number) => new Uint8Array(length).fill(0x20);
  const chunked = (length: number) => {
    const [before, after] = [`${length.toString(16)}\r\n`, "\r\n0\r\n\r\n"].map((text) =>
      new TextEncoder().encode(text),
    );
    return new Uint8Array(Buffer.concat([before ?? [], spaces(length), after ?? []] as Uint8Array[]));
  };

  test.each([
    ["sys/unseal", 64 * KIB],
    ["sys/init", 4 * KIB * KIB],
    ["kv/a", 32 * KIB * KIB],
  ])("of %s is refused, declared or not; at the limit it is read", async (path, limit) => {
    await using server = await startServer({ args: ["--storage", "memory:"] });
    const { token } = await server.initAndUnseal();
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    const send = async (headers: Record<string, string>, body: Uint8Array) => {
      const request = { method: "PUT", path: `/v1/${path}`, headers: { "x-vault-token": token, ...headers }, body };
      const answer = await exchange(server.way, request);
      return [answer?.status, answer?.text.trim()];
    };
    const tooLarge = [413, `{"errors":["http: request body too large"]}`];
    expect(await send({}, spaces(limit + 1))).toEqual(tooLarge);
    expect(await send({ "transfer-encoding": "chunked" }, chunked(limit + 1))).toEqual(tooLarge);
    // It says so before the body has come.
    expect(await send({ "content-length": String(limit + 1) }, spaces(10))).toEqual(tooLarge);
    expect(await send({}, spaces(limit))).toEqual([400, expect.any(String)]);
    expect(await send({ "transfer-encoding": "chunked" }, chunked(limit))).toEqual([400, expect.any(String)]);
  });
});

describe("a form", () => {
  test("of very many fields is refused before it costs anything", async () => {
    await using server = await startCoffer();
    const body = Array.from({ length: 100_000 }, (_each, index) => `k${index}=`).join("&");
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    // It took minutes, and the test ran out of time, when every field was looked up among all.
    const { status, text } = await server.call("PUT", "sys/init", { body, headers });
    expect([status, text]).toEqual([400, expect.stringContaining("exceeded maximum number of strings")]);
  });

  test.each([
    [500, false],
    [501, true],
  ])("of %p fields, whose names and values are twice as many strings: refused %p", async (fields, isRefused) => {
    await using server = await startCoffer();
    const body = Array.from({ length: fields }, (_each, index) => `k${index}=`).join("&");
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { text } = await server.call("PUT", "sys/init", { body, headers });
    expect(text.includes("exceeded maximum number of strings")).toBe(isRefused);
  });

  test("of more than a MiB is too large", async () => {
    await using server = await startCoffer();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const form = (length: number) => server.call("PUT", "sys/init", { body: `a=${"b".repeat(length - 2)}`, headers });
    expect((await form(1024 * 1024 + 1)).status).toBe(413);
    expect((await form(1024 * 1024)).status).toBe(400);
  });

  test("of a few fields is a body like any other", async () => {
    await using server = await startCoffer();
    const { token } = await server.initAndUnseal();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    await server.call("POST", "sys/mounts/kv", { token, headers, body: "type=kv&description=a&description=b" });
    await server.call("PUT", "kv/x", { token, headers, body: "one=1&two=2&one=3" });
    expect((await server.call("GET", "kv/x", { token })).body["data"]).toEqual({ one: "1,3", two: "2" });
  });
});

describe("a Host header", () => {
  test.each([
    ["", [200, 404, 503]],
    ["x@y", [400, 400, 400]],
    ["a b", [400, 400, 400]],
  ])("%p says nothing of where a request goes", async (host, statuses) => {
    await using server = await startServer({ args: ["--storage", "memory:"] });
    const ask = async (path: string) =>
      (await exchange(server.way, { method: "GET", path, headers: { host } }))?.status;
    const paths = ["/v1/sys/seal-status", "/x/v1/sys/seal-status", "/v1/sys/nothing?u=a://b/v1/sys/seal-status"];
    expect(await Promise.all(paths.map(ask))).toEqual(statuses);
  });
});

describe("a store that is not initialised", () => {
  test("is empty after every init that was refused", async () => {
    const store = new Map<string, Uint8Array>();
    await using server = await startCoffer({ store });
    const numbers = [undefined, null, 0, 1, 2, 255, 256, -1, 1.5, 1e300, "2", true, [2], {}, "", 2 ** 53];
    let refused = 0;
    for (const secret_shares of numbers) {
      for (const secret_threshold of numbers) {
        const valid = typeof secret_shares === "number" && typeof secret_threshold === "number";
        if (valid && [1, 2, 255].includes(secret_shares) && isThresholdOf(secret_shares, secret_threshold)) continue;
        const { status, body } = await server.call("PUT", "sys/init", { body: { secret_shares, secret_threshold } });
        expect([secret_shares, secret_threshold, status]).toEqual([secret_shares, secret_threshold, 400]);
        expect(body).toEqual({ errors: [expect.any(String)] });
        refused += 1;
      }
    }
    expect(refused).toBe(numbers.length ** 2 - 4);
    expect(store.size).toBe(0);
    expect((await server.call("GET", "sys/init")).body).toEqual({ initialized: false });
    await server.initAndUnseal(255, 255);
  });

  function isThresholdOf(shares: number, threshold: number): boolean {
    return shares === 1 ? threshold === 1 : [2, 255].includes(threshold) && threshold <= shares;
  }
});

describe("shares", () => {
  test("of another coffer are refused when the set is complete, and forgotten; the right ones go on", async () => {
    await using one = await startCoffer();
    await using other = await startCoffer();
    const mine = await one.initAndUnseal(3, 2);
    const theirs = await other.initAndUnseal(3, 2);
    await one.call("PUT", "sys/seal", { token: mine.token });
    const give = async (key = ""): Promise<[number, unknown]> => {
      const { status } = await one.call("PUT", "sys/unseal", { body: { key } });
      return [status, (await one.call("GET", "sys/seal-status")).body["progress"]];
    };
    const [a, b] = mine.keys;
    // Their coordinates are random, so a share of theirs may have the coordinate of mine.
    const [stranger, second] = theirs.keys.filter((key) => key.slice(-2) !== a?.slice(-2));
    expect(await give(stranger)).toEqual([200, 1]);
    expect(await give(second)).toEqual([400, 0]);
    expect(await give(a)).toEqual([200, 1]);
    expect(await give(a)).toEqual([200, 1]);
    expect(await give(stranger)).toEqual([400, 0]);
    expect(await give(a)).toEqual([200, 1]);
    expect(await give(b)).toEqual([200, 0]);
    expect((await one.call("GET", "auth/token/lookup-self", { token: mine.token })).status).toBe(200);
  });
});

describe("a field of the wrong type", () => {
  /** The fields of `logical` bodies, and for each a value that it cannot take. */
  const FIELDS: readonly (readonly [path: string, fields: Readonly<Record<string, unknown>>])[] = [
    [
      "auth/token/create",
      {
        ...each(["id", "display_name", "type", "entity_alias"], { a: 1 }),
        ...each(["ttl", "lease", "period", "explicit_max_ttl"], "hidden-value"),
        ...each(["no_parent", "no_default_policy", "renewable"], "hidden-value"),
        num_uses: "hidden-value",
        policies: [{}],
        meta: "hidden-value",
      },
    ],
    [
      "sys/mounts/new",
      { ...each(["type", "description", "plugin_name"], []), local: "hidden-value", options: "hidden-value" },
    ],
    ["sys/mounts/kv/tune", { description: {}, ...each(["default_lease_ttl", "max_lease_ttl"], "hidden-value") }],
  ];

  test.each(FIELDS.map(([path, fields]) => [path, fields] as const))(
    "is named, its value is not: %s",
    async (path, fields) => {
      const store = new Map<string, Uint8Array>();
      await using server = await startCoffer({ store });
      const { token } = await server.initAndUnseal(3, 2);
      await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
      const before = contentOf(store);
      for (const [name, value] of Object.entries(fields)) {
        const { status, body, text } = await server.call("POST", path, {
          token,
          body: { type: "service", [name]: value },
        });
        expect([name, status]).toEqual([name, 400]);
        expect(body["errors"]).toEqual([expect.stringContaining(`"${name}"`)]);
        expect(text).not.toContain("hidden-value");
      }
      expect(contentOf(store)).toEqual(before);
    },
  );

  function each(names: readonly string[], value: unknown): Record<string, unknown> {
    return Object.fromEntries(names.map((name) => [name, value]));
  }
});
