/** What the command line says when it fails, and with which exit code. */

/** 1: usage, or something on this machine. 2: the server, or the way to it. As `vault` has them. */
export type FailureCode = 1 | 2;

interface CliErrorOptions extends ErrorOptions {
  readonly exitCode?: FailureCode;
  /** Lines below the message: what the server said. */
  readonly details?: readonly string[];
  /** The status of the server's answer, where there was one. */
  readonly status?: number | undefined;
}

/** A failure told to the person at the terminal: a message of one line and what to do about it. Never a secret. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly hints: readonly [string, ...string[]];
  readonly exitCode: FailureCode;
  readonly details: readonly string[];
  readonly status: number | undefined;

  constructor(message: string, hints: string | readonly [string, ...string[]], options: CliErrorOptions = {}) {
    super(message, options);
    this.hints = typeof hints === "string" ? [hints] : hints;
    this.exitCode = options.exitCode ?? 1;
    this.details = options.details ?? [];
    this.status = options.status;
  }

  /** The same failure with other hints. */
  withHints(hints: readonly [string, ...string[]]): CliError {
    const { message, exitCode, details, status, cause } = this;
    return new CliError(message, hints, { exitCode, details, status, cause });
  }
}

/** Any thrown value as a CliError: errors of other layers keep their message and, where they carry one, their hint. */
export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (!(error instanceof Error))
    return new CliError("an unknown error", "this is a defect of coffer: please report it");
  const hint = "hint" in error && typeof error.hint === "string" ? error.hint : undefined;
  if (hint !== undefined) return new CliError(error.message, hint, { cause: error });
  return new CliError(`unexpected ${error.name}: ${error.message}`, "this is a defect of coffer: please report it", {
    cause: error,
  });
}

/** The word for an errno-like code of a failed file operation; the code itself where there is no better word. */
export function fileProblem(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  const words: Readonly<Record<string, string>> = {
    ENOENT: "no such file",
    EACCES: "permission denied",
    EISDIR: "it is a folder",
    EEXIST: "it exists already",
  };
  return words[code] ?? code;
}
