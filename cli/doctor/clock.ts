/** Whether the clocks can be believed: terms, attempts and certificates live by them. */
import { type Check, mustDo, ok } from "./check.ts";
import { statOf } from "./stat.ts";

const DAY_MS = 86_400_000;
/** Over so long the two clocks are compared. */
const MEASURE_MS = 200;
/** A wall clock that is being slewed differs by less. */
const JUMP_MS = 50;
/** A file system's own clock may be a little ahead. */
const AHEAD_MS = 5000;

export interface Clocks {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  /** When this program was built: it cannot be earlier now. */
  readonly builtAt: number;
}

/** `files`: those of the store, with the times at which they were written. */
export async function checkClock(clocks: Clocks, files: readonly string[]): Promise<Check> {
  const name = "clock";
  const now = clocks.now();
  if (now < clocks.builtAt - DAY_MS) {
    return mustDo(name, `it says ${dateOf(now)}, which is before this program was built`, "set it, and keep it by NTP");
  }
  const ahead = files.find((file) => (timeOf(file) ?? 0) > now + AHEAD_MS);
  if (ahead !== undefined) {
    return mustDo(name, `${ahead} was written in the future: the clock was set back`, "set it, and keep it by NTP");
  }
  const monotonic = clocks.monotonic();
  await clocks.wait(MEASURE_MS);
  const drift = Math.round(Math.abs(clocks.now() - now - (clocks.monotonic() - monotonic)));
  if (drift > JUMP_MS) {
    return mustDo(
      name,
      `it jumped by ${drift} ms within ${MEASURE_MS} ms`,
      "have it kept by one service, which slews it",
    );
  }
  return ok(name, `it says ${dateOf(now)} and runs evenly`);
}

function timeOf(file: string): number | undefined {
  return statOf(file)?.mtimeMs;
}

function dateOf(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
