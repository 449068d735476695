/**
 * Every failure that a client may see, in one table: status and text. Clients of Vault compare some of these texts, so
 * they are Vault's to the byte. `framed` marks those that Vault wraps as `1 error occurred:` on paths that need a token.
 */
const ERRORS = {
  sealed: { status: 503, text: "Vault is sealed", framed: false },
  "permission-denied": { status: 403, text: "permission denied", framed: true },
  /** Nothing there: Vault answers with no text at all. */
  "not-found": { status: 404, text: "", framed: false },
  "no-route": { status: 404, text: "no handler for route", framed: false },
  "unsupported-path": { status: 404, text: "unsupported path", framed: true },
  "unsupported-operation": { status: 405, text: "unsupported operation", framed: true },
  "method-not-allowed": { status: 405, text: "", framed: false },
  "unsupported-media-type": { status: 415, text: "", framed: false },
  /** A request that is wrong in itself; the detail names the field, never its value. */
  invalid: { status: 400, text: "", framed: false },
  "body-too-large": { status: 413, text: "http: request body too large", framed: false },
  /** Nothing was looked at yet: the same request may be sent again. */
  overloaded: { status: 503, text: "too many large requests at once: try again", framed: false },
  "value-too-large": {
    status: 413,
    text: "put failed due to value being too large",
    framed: false,
  },
  /** Somebody at the sender's address has guessed too often (`access/refusals.ts`). */
  "too-many-refusals": {
    status: 429,
    text: "too many refused tokens or key shares from this address: try again later",
    framed: false,
  },
  /** The storage did not say whether it wrote (`Unknown` in storage/driver.ts). */
  "unknown-outcome": {
    status: 500,
    text: "the storage did not confirm the write: it may or may not have been made",
    framed: true,
  },
  /** A stored entry that is not what was written; the detail says which. */
  damaged: { status: 500, text: "a stored entry is damaged", framed: true },
  /** No audit device took the entry: nothing is done, or answered, that was not recorded. */
  "audit-failed": { status: 500, text: "internal error", framed: false },
  internal: { status: 500, text: "internal error", framed: true },
} as const satisfies Record<string, { status: number; text: string; framed: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** What the pipeline answers for an error. */
export interface WireError {
  readonly status: number;
  readonly errors: readonly string[];
  /** Seconds, for the header that says so. */
  readonly retryAfter?: number | undefined;
}

interface ApiErrorOptions extends ErrorOptions {
  /** Seconds after which the same request may be answered otherwise. */
  readonly retryAfter?: number;
}

/** A failure that a client may see. Anything else that is thrown becomes `internal`, and its cause goes to the log only. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ErrorCode;
  readonly retryAfter: number | undefined;

  /** `detail` takes the place of the table's text; it must hold nothing that the client sent as a value. */
  constructor(code: ErrorCode, detail?: string, options: ApiErrorOptions = {}) {
    super(detail ?? ERRORS[code].text, options);
    this.code = code;
    this.retryAfter = options.retryAfter;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** Shorthand for the commonest refusal: status 400 with this text. */
export function invalid(detail: string): ApiError {
  return new ApiError("invalid", detail);
}

/**
 * What leaves the process for `error`: never a cause, never a stack, never the message of anything but an ApiError.
 *
 * `authenticated`: whether the request had passed the token check, which is where Vault starts to frame its errors.
 */
export function wireError(error: unknown, authenticated: boolean): WireError {
  const known = error instanceof ApiError ? error : new ApiError("internal");
  const { retryAfter } = known;
  const { status, framed } = ERRORS[known.code];
  if (known.message === "") return { status, errors: [], retryAfter };
  return { status, errors: [framed && authenticated ? frame(known.message) : known.message], retryAfter };
}

/** What the audit trail calls failures that it does not call by the table's text: Vault's words for their kind. */
const AUDIT_TEXTS: Partial<Record<ErrorCode, string>> = {
  invalid: "invalid request",
  "unsupported-media-type": "invalid request",
  "body-too-large": "invalid request",
  "value-too-large": "invalid request",
  "no-route": ERRORS["unsupported-path"].text,
  "method-not-allowed": ERRORS["unsupported-operation"].text,
};

/**
 * The `error` of an audit entry for an operation that failed; undefined for what is merely not there. Never a detail:
 * what the client was told stands beside it, hashed.
 */
export function auditError(error: unknown): string | undefined {
  const code = error instanceof ApiError ? error.code : "internal";
  const text = AUDIT_TEXTS[code] ?? ERRORS[code].text;
  return text === "" ? undefined : frame(text);
}

/** Go's multierror text for a single error. */
function frame(text: string): string {
  return `1 error occurred:\n\t* ${text}\n\n`;
}
