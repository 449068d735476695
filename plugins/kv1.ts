import {
  ApiError,
  anyObject,
  defineEngine,
  invalid,
  isObject,
  parseDuration,
  parseObject,
  parseObjectText,
  route,
  soon,
  stringifySorted,
  utf8,
} from "../core/plugin.ts";

/** The key-value engine, version 1: a JSON object at any path, stored as Vault stores it. */
export default defineEngine({
  type: "kv",
  version: "1",
  summary: "Key-value secrets without versions",
  mount: ({ view, defaultLeaseTtl }) => [
    route({
      operation: "read",
      path: ":path*",
      summary: "Read a secret",
      handle: ({ params: { path = "" } }) =>
        soon(isEntry(path) ? view.get(path) : undefined, (stored) => {
          if (stored === undefined) throw new ApiError("not-found");
          const json = parseObjectText(stored);
          return { kind: "json", json, leaseDuration: leaseDuration(json.text) ?? defaultLeaseTtl() };
        }),
    }),
    route({
      operation: "update",
      path: ":path*",
      summary: "Store a secret",
      body: anyObject(),
      async handle({ params: { path = "" }, body }) {
        if (!isObject(body) || Object.keys(body).length === 0) throw invalid("missing data fields");
        if (!isEntry(path)) throw new ApiError("unsupported-operation");
        await view.put(path, utf8(stringifySorted(body)));
        return { kind: "empty" };
      },
    }),
    route({
      operation: "delete",
      path: ":path*",
      summary: "Delete a secret",
      async handle({ params: { path = "" } }) {
        if (isEntry(path)) await view.delete(path);
        return { kind: "empty" };
      },
    }),
    route({
      operation: "list",
      path: ":path*",
      summary: "List the secrets and folders below a path",
      handle: ({ params: { path = "" } }) =>
        soon(view.list(path), (keys) => {
          if (keys.length === 0) throw new ApiError("not-found");
          return { kind: "data", data: { keys } };
        }),
    }),
  ],
});

/** The mount itself, and what ends in a slash, are folders. */
function isEntry(path: string): boolean {
  return path !== "" && !path.endsWith("/");
}

/** Seconds, from the secret's own `ttl` or `lease`; undefined when it has none that can be read. */
function leaseDuration(secret: string): number | undefined {
  if (!/"(?:ttl|lease)"/.test(secret)) return undefined;
  const data = parseObject(utf8(secret));
  const ttl = data["ttl"] ?? data["lease"];
  if (typeof ttl !== "string" && typeof ttl !== "number") return undefined;
  try {
    const seconds = parseDuration(String(ttl));
    return seconds > 0 ? seconds : undefined;
  } catch {
    return undefined;
  }
}
