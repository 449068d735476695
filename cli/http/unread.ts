/** Bytes that connections may hold unread, all together: their clients do not take what was answered before. */
export const UNREAD = 64 * 1024 * 1024;

interface Holding {
  /** Bytes. */
  readonly unread: number;
}

/** Those that hold the most, so many that the others hold no more than {@link UNREAD} together. */
export function beyondUnread<C extends Holding>(connections: Iterable<C>): readonly C[] {
  const most = [...connections].toSorted((a, b) => b.unread - a.unread);
  let left = most.reduce((sum, { unread }) => sum + unread, 0);
  return most.filter(({ unread }) => {
    if (left <= UNREAD) return false;
    left -= unread;
    return true;
  });
}
