/** An answer of the pipeline: what a listener of our own writes as it is, and others get as a `Response`. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. Of a few sets that never change, so that who writes them can keep what it made of them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: without a body. */
  readonly body: string | undefined;
  /** The body is certain to be ASCII: as many bytes as characters. */
  readonly isAscii?: boolean;
}

export function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body ?? null, { status, headers });
}
