/**
 * Where the engine reports what happened, one line a call: pino's signature, so that `cli/` can hand pino in.
 *
 * No field ever holds a secret, a token, a share or a key. Paths of secrets go to `debug` only.
 */
export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
