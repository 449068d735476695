let last = "";
let lastMs = Number.NaN;

/** `ms`, milliseconds since 1970, in RFC 3339 and UTC. Under load many lines are of one millisecond: it is put in words once. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) [lastMs, last] = [ms, new Date(ms).toISOString()];
  return last;
}
