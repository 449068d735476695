/** Requests over HTTP to the executable, beside a route that does nothing behind the same listener. */
import { compare } from "./compare.ts";
import { temporaryFolder } from "./folder.ts";
import { inTurns } from "./rounds.ts";
import { type CofferSettings, startBare, startCoffer } from "./subject.ts";
import type { Figure } from "./table.ts";
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
/** With audit, over the same without. */
const AUDITED = 0.5;

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
  return comparisons().flatMap(({ subject, baseline, rate }) =>
    compare(found, { group: "http", subject, baseline, rate: rate ?? TARGETS[`${subject} over ${baseline}`] }),
  );
}

/** What is compared with what. */
function comparisons(): { subject: string; baseline: string; rate?: number }[] {
  const ofServers = SERVERS.flatMap(({ name, storage, audit }) =>
    KINDS.flatMap((kind) => {
      const subject = `${kind} on ${name}`;
      const over = { subject, baseline: "bare" };
      return audit ? [over, { subject, baseline: `${kind} on ${storage}`, rate: AUDITED }] : [over];
    }),
  );
  return [{ subject: "bare", baseline: "runtime" }, ...ofServers];
}
