/** Requests over HTTP to the executable, beside a route that does nothing behind the same listener. */
import { temporaryFolder } from "./folder.ts";
import { inTurns, median } from "./rounds.ts";
import { type CofferSettings, startBare, startCoffer } from "./subject.ts";
import type { Figure, Target } from "./table.ts";
import { type Kind, requireWrk, type Speed, wrk } from "./wrk.ts";

const ROUNDS = 5;
const SECONDS = 3;

const SERVERS: readonly CofferSettings[] = (["memory", "file"] as const).flatMap((storage) =>
  [false, true].map((audit) => ({ name: audit ? `${storage}, audit` : storage, storage, audit })),
);
const KINDS = ["read", "write"] as const;

/** What is asked of a rate, by its name and that of its baseline. */
const TARGETS: Readonly<Record<string, number>> = {
  "bare over runtime": 0.5,
  "read on memory over bare": 0.5,
  "read on file over bare": 0.5,
  "write on memory over bare": 0.35,
  "write on file over bare": 0.2,
};
const AUDITED: Target = { of: "ratio", bound: "≥", limit: 0.5 };

/** `parent`: a folder on a disk, in which stores and logs are made and removed. */
export async function measureHttp(parent: string): Promise<Figure[]> {
  requireWrk();
  using folder = temporaryFolder(parent);
  await using subjects = new AsyncDisposableStack();
  const measures: Record<string, () => Promise<Speed>> = {};
  const load = (name: string, { url, token }: { url: string; token: string }, kind: Kind) => {
    measures[name] = () => wrk(folder.path, { url, token, kind, seconds: SECONDS });
  };
  load("runtime", subjects.use(await startBare("runtime")), "read");
  load("bare", subjects.use(await startBare("listener")), "read");
  for (const settings of SERVERS) {
    const subject = subjects.use(await startCoffer(folder.path, settings));
    for (const kind of KINDS) load(`${kind} on ${settings.name}`, subject, kind);
  }
  const found = await inTurns(ROUNDS, measures);
  return comparisons().flatMap(([name, baseline]) => figuresOf(found, name, baseline));
}

/** What is compared with what. */
function comparisons(): [name: string, baseline: string][] {
  return [
    ["bare", "runtime"],
    ...SERVERS.flatMap(({ name, storage, audit }) =>
      KINDS.flatMap((kind): [string, string][] => [
        [`${kind} on ${name}`, "bare"],
        ...(audit ? [[`${kind} on ${name}`, `${kind} on ${storage}`] satisfies [string, string]] : []),
      ]),
    ),
  ];
}

/** The rate and the p99 of one measure over those of another. */
function figuresOf(found: readonly Record<string, Speed>[], name: string, baseline: string): Figure[] {
  const middle = (of: string, pick: (speed: Speed) => number) =>
    median(found.flatMap(({ [of]: speed }) => speed ?? []).map(pick));
  const limit = TARGETS[`${name} over ${baseline}`];
  const isAudit = name.startsWith(baseline);
  const common = {
    group: "http",
    rounds: found.length,
    operations: middle(name, ({ requests }) => requests),
  };
  const target = limit === undefined ? (isAudit ? AUDITED : undefined) : ({ ...AUDITED, limit } as const);
  return [
    {
      ...common,
      name: `${name}, over ${baseline}`,
      unit: "/s",
      value: middle(name, ({ rate }) => rate),
      baseline: middle(baseline, ({ rate }) => rate),
      ...(target && { target }),
    },
    {
      ...common,
      name: `${name}, p99 over ${baseline}`,
      unit: "ms",
      value: middle(name, ({ p99 }) => p99),
      baseline: middle(baseline, ({ p99 }) => p99),
    },
  ];
}
