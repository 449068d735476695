/** Bytes that connections may hold of what was sent before the answers to it were taken, all together. */
export const SENT_AHEAD = 64 * 1024 * 1024;

interface Ahead {
  /** Bytes. */
  readonly sentAhead: number;
}

/** Those that are the furthest ahead, so many that the others hold no more than {@link SENT_AHEAD} together. */
export function furthestAhead<C extends Ahead>(connections: Iterable<C>): readonly C[] {
  const most = [...connections].toSorted((a, b) => b.sentAhead - a.sentAhead);
  let left = most.reduce((sum, { sentAhead }) => sum + sentAhead, 0);
  return most.filter(({ sentAhead }) => {
    if (left <= SENT_AHEAD) return false;
    left -= sentAhead;
    return true;
  });
}
