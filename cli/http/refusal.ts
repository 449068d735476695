/** Why a connection is refused or cut off, or a request never gets to the app. */
export const REFUSALS = ["malformed", "handshake", "full", "unread"] as const;

export type Refusal = (typeof REFUSALS)[number];

/** `why` is one of the server's own texts and holds nothing of what the client sent. No `address` over a Unix socket. */
export type OnRefused = (refusal: Refusal, why: string, address: string | undefined) => void;
