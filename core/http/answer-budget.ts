/**
 * What answers may take together while they are in memory: made but not recorded yet, or not taken by their clients. A
 * listener of our own keeps one for all of its connections.
 */
export interface AnswerBudget {
  /**
   * Whether there is too much: of answers that are not taken, that are not recorded yet, or that were made in this turn of the
   * event loop. Then {@link turn} comes before the next large one is made.
   */
  readonly isOver: boolean;
  /** Resolves when there is room, in turn; with false when the client has gone by then. Never rejects. */
  turn(): Promise<boolean>;
  /** Counts an answer that waits to be recorded, until it is disposed of. */
  keep(bytes: number): Disposable;
}

/** Bytes. Smaller answers are not counted: those of a thousand connections are an eighth of the listener's budget. */
export const LARGE_ANSWER = 16 * 1024;
