/**
 * The target of a request: the path, percent-decoded exactly once, and the query. What is matched, allowed by a policy,
 * audited and handled is this one decoded text; nothing decodes it again.
 */
import { parseBool } from "./fields.ts";

/** How to answer a target that cannot be served. Without `errors` the body is empty. */
export interface Refusal {
  readonly refuse: { readonly status: 400 | 404; readonly errors?: readonly string[] };
}

/** The logical path, without `/v1/`: `sys/health`, `kv/a b`, `kv/folder/`, or `""`. */
export interface LogicalPath {
  readonly path: string;
}

/** A query, decoded. `data` is what GET, LIST and DELETE hand to the endpoint as its fields. */
export interface Query {
  readonly data: Record<string, string | string[]>;
  readonly list: boolean;
  readonly scan: boolean;
  readonly help: boolean;
}

const PREFIX = "/v1/";
/** No endpoint has more; each is hashed for each audit device, whoever sent it. */
const MAX_PARAMETERS = 100;
/** Query parameters that say what the request is, and are none of its data. */
const RESERVED: ReadonlySet<string> = new Set(["list", "scan", "help"]);
/** Absent from nearly every path: an escape, anything but printable ASCII, an empty segment, a dot segment. */
const UNUSUAL = /[^ -$&-~]|\/\/|\/\.\.?(?:\/|$)/;
/** What Go's unicode.IsPrint takes: no control character, U+2028 or lone surrogate. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;
const DOT_SEGMENT = /(?:^|\/)\.\.?(?:\/|$)/;

/** Takes the path of a request apart: percent-encoded, as in the request line before `?` or as a URL's `pathname`. */
export function parsePath(rawPathname: string): LogicalPath | Refusal {
  const isUnusual = UNUSUAL.test(rawPathname);
  const decoded = isUnusual ? decode(rawPathname) : rawPathname;
  if (decoded === undefined) return { refuse: { status: 400 } };
  if (!decoded.startsWith(PREFIX)) return { refuse: { status: 404, errors: [] } };
  const path = decoded.slice(PREFIX.length);
  return (isUnusual ? refusalOf(path) : undefined) ?? { path };
}

function refusalOf(path: string): Refusal | undefined {
  if (DOT_SEGMENT.test(path)) return { refuse: { status: 400, errors: ["relative paths not supported"] } };
  if (path.startsWith("/") || path.includes("//")) {
    return { refuse: { status: 400, errors: ["empty path segments not supported"] } };
  }
  return undefined;
}

/**
 * Takes a query apart, with or without its `?`. `list` and `scan` are booleans in Go's spelling, `help` is anything but
 * empty; of a name given twice the first counts, elsewhere all do.
 */
export function parseQuery(search: string): Query | Refusal {
  if (search === "") return { data: {}, list: false, scan: false, help: false };
  const parameters = new URLSearchParams(search);
  if (parameters.size > MAX_PARAMETERS) return { refuse: { status: 400, errors: ["too many query parameters"] } };
  const list = parseBool(parameters.get("list") || "false");
  const scan = parseBool(parameters.get("scan") || "false");
  if (list === undefined || scan === undefined || (list && scan)) return { refuse: { status: 400, errors: [] } };

  const data = new Map<string, string | string[]>();
  for (const [name, value] of parameters) {
    if (RESERVED.has(name)) continue;
    const earlier = data.get(name);
    if (earlier === undefined) data.set(name, value);
    else if (typeof earlier === "string") data.set(name, [earlier, value]);
    else earlier.push(value);
  }
  // Object.fromEntries makes own properties, of `__proto__` too.
  return { data: Object.fromEntries(data), list, scan, help: Boolean(parameters.get("help")) };
}

/** Undefined for invalid escapes, for escapes that are not UTF-8 and for what cannot be printed. */
function decode(raw: string): string | undefined {
  try {
    const decoded = decodeURIComponent(raw);
    return PRINTABLE.test(decoded) ? decoded : undefined;
  } catch {
    return undefined;
  }
}
