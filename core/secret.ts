const REDACTED = "«redacted»";

/**
 * A value that prints as «redacted» wherever it is printed: in a template, by JSON, by console.log, in an error's
 * cause. Whoever needs it says so with {@link Secret.reveal}.
 *
 * It keeps secrets out of logs, not out of memory: a JavaScript string cannot be wiped.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  get [Symbol.toStringTag](): string {
    return REDACTED;
  }

  /** What Node, Bun and Deno call when a value is inspected. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return REDACTED;
  }
}
