/** How long a client may take, in milliseconds. */

/** Between an answer and the next request. */
export const IDLE = 120_000;
/** For a whole head. */
export const HEAD = 10_000;
/** Between two pieces of a body, and for a whole one. */
export const BODY_PAUSE = 30_000;
export const BODY = 300_000;
/** For a whole body, before it makes way where there is no place left. */
export const SLOW_BODY = 10_000;
/** Between two pieces of an answer that the client takes, and for a whole one. */
export const WRITE_PAUSE = 30_000;
export const ANSWER = 300_000;
/** After the last answer, for the client to have read it before the connection is cut. */
export const LINGER = 2000;
