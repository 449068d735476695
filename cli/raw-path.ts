/**
 * The runtime's URL parser removes dot segments from a path (`..`, `%2e%2e`) and makes slashes of backslashes before any
 * handler sees it: a policy in front would see another path than the handler. Its router, though, takes the path apart as
 * it was sent. So there is a route for every number of segments, and a request whose URL says something else than its
 * segments is refused.
 */

/**
 * More segments than a path needs; one that has more is refused, for nothing could be said of it. Every route costs start
 * and memory: 128 segments took 35 ms and 3 MB.
 */
const MAX_SEGMENTS = 32;
/** A path that the app refuses as one with dot segments: the escape keeps them from the URL parser. */
const WITH_DOTS = "http://localhost/v1/..%2F";

type Handler = (request: Request) => Promise<Response>;
/** What a route's handler gets: the segments, decoded, by their names in the route. */
type Routed = Request & { readonly params: Readonly<Record<string, string>> };

/**
 * The verbs of the routes. Each is named: a route for all verbs would be given those that the runtime does not know, such
 * as `LIST`, as a GET. The others that it knows come to the fallback; none of them reads or changes a secret.
 */
const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

interface Guarded {
  readonly routes: Record<string, Record<(typeof VERBS)[number], (request: Routed) => Promise<Response>>>;
  /** For what no route matches. */
  readonly fetch: Handler;
}

/** The routes and the fallback of a server that hands `handle` only requests whose path is as it was sent. */
export function guardPath(handle: Handler): Guarded {
  const refuse: Handler = ({ method, headers }) => handle(new Request(WITH_DOTS, { method, headers }));
  const routes: Guarded["routes"] = {};
  let pattern = "";
  for (let segments = 1; segments <= MAX_SEGMENTS; segments += 1) {
    pattern += `/:s${segments}`;
    for (const end of ["", "/"]) {
      const guarded = (request: Routed) => {
        const path = pathOf(request.url);
        const fits = count(path, "/") === segments + end.length && path.endsWith("/") === (end === "/");
        return fits && isAsSent(path, Object.values(request.params)) ? handle(request) : refuse(request);
      };
      routes[pattern + end] = {
        GET: guarded,
        POST: guarded,
        PUT: guarded,
        PATCH: guarded,
        DELETE: guarded,
      };
    }
  }
  return {
    routes,
    fetch(request) {
      const path = pathOf(request.url);
      // The app refuses these itself: an empty segment, a verb that has no route. What is left has too many segments.
      if (hasEmptySegment(path) || !VERBS.some((verb) => verb === request.method)) return handle(request);
      return refuse(request);
    },
  };
}

/** The path of a request's URL, still encoded. Without a usable Host the runtime gives the target alone. */
function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const end = url.indexOf("?", start);
  return url.slice(start, end === -1 ? undefined : end);
}

/** No segment is dots, and every backslash in a segment is an escaped one in the path. */
function isAsSent(path: string, segments: readonly string[]): boolean {
  if (segments.includes(".") || segments.includes("..")) return false;
  const backslashes = segments.reduce((sum, segment) => sum + count(segment, "\\"), 0);
  return backslashes === 0 || backslashes === (path.match(/%5c/gi) ?? []).length;
}

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) found += 1;
  return found;
}

/** `/` itself is nothing but one. */
function hasEmptySegment(path: string): boolean {
  return path === "/" || path.includes("//");
}
