/**
 * Matches a decoded path against the routes of one plugin or mount.
 *
 * A pattern is a path whose segments may be `:name` (one segment), `:name+` (one or more, slashes included) or `:name*`
 * (also none). A pattern without parameters wins; the others are tried in the order in which they were added. The first
 * that matches is the one, with all its operations, so that a path is either unknown or known with a fixed set of them.
 */
export interface Match<T> {
  /** What the pattern holds, by operation. */
  readonly operations: ReadonlyMap<string, T>;
  readonly params: Readonly<Record<string, string>>;
}

type Params = Match<unknown>["params"];

interface Pattern<T> {
  readonly source: string;
  readonly matcher: (path: string) => Params | undefined;
  readonly operations: Map<string, T>;
}

const NO_PARAMS: Params = {};

export class Router<T> {
  readonly #patterns: Pattern<T>[] = [];
  readonly #fixed = new Map<string, Pattern<T>>();

  /** Throws when this operation is already there: two plugins must not answer for the same path. */
  add(source: string, operation: string, target: T): void {
    let pattern = this.#patterns.find((known) => known.source === source);
    if (pattern === undefined) {
      pattern = { source, matcher: matcherOf(source), operations: new Map() };
      this.#patterns.push(pattern);
      if (!source.includes(":")) this.#fixed.set(source, pattern);
    }
    if (pattern.operations.has(operation)) throw new Error(`two routes for ${operation} of ${source}`);
    pattern.operations.set(operation, target);
  }

  match(path: string): Match<T> | undefined {
    const fixed = this.#fixed.get(path);
    if (fixed !== undefined) return { operations: fixed.operations, params: NO_PARAMS };
    for (const { matcher, operations } of this.#patterns) {
      const params = matcher(path);
      if (params !== undefined) return { operations, params };
    }
    return undefined;
  }
}

function matcherOf(source: string): Pattern<unknown>["matcher"] {
  // The pattern of an engine that keeps what it likes: every path, and most requests.
  const [, whole] = /^:(\w+)\*$/.exec(source) ?? [];
  if (whole !== undefined) return (path) => ({ [whole]: path });
  const segments = source.split("/").map((segment) => {
    const parameter = /^:(\w+)([+*]?)$/.exec(segment);
    if (parameter === null) return segment.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
    const [, name, many] = parameter;
    return `(?<${name}>${many === "+" ? ".+" : many === "*" ? ".*" : "[^/]+"})`;
  });
  const expression = new RegExp(`^${segments.join("/")}$`, "su");
  return (path) => {
    const found = expression.exec(path);
    return found === null ? undefined : (found.groups ?? NO_PARAMS);
  };
}
