/**
 * Turns `-format=json`, as users of `vault` type it, into `--format=json`, before the parser reads `-f -o -r …` in it, and
 * `-dev=true` and `-dev=false` into `--dev` and `--no-dev` (the words of Go's `flag` package).
 *
 * Left alone are the value of an option that takes one, whatever it looks like, everything after `--`, a lone `-` (standard
 * input), single letters (`-h`), numbers, and operands such as `key=-value`, which do not begin with a dash.
 */
export function normaliseArguments(args: readonly string[], { takesValue, flags }: OptionNames): string[] {
  const result: string[] = [];
  let isValue = false;
  for (const [at, arg] of args.entries()) {
    if (!isValue && arg === "--") return [...result, ...args.slice(at)];
    const option: RegExpExecArray | null = isValue ? null : LONG_OPTION.exec(arg);
    const name: string = option?.[1] ?? "";
    const assigned: string | undefined = option?.[2];
    if (option === null) result.push(arg);
    else result.push((flags.has(name) ? asFlag(name, assigned) : undefined) ?? `--${name}${assigned ?? ""}`);
    isValue = option !== null && assigned === undefined && takesValue.has(name);
  }
  return result;
}

/** Undefined for what is neither true nor false. */
function asFlag(name: string, assigned: string | undefined): string | undefined {
  if (assigned === undefined || TRUE.test(assigned)) return `--${name}`;
  return FALSE.test(assigned) ? `--no-${name}` : undefined;
}

const TRUE = /^=(?:1|t|T|true|True|TRUE)$/;
const FALSE = /^=(?:0|f|F|false|False|FALSE)$/;

const LONG_OPTION = /^--?([a-z][a-z0-9-]+)(=[^]*)?$/i;

/** Long names, without dashes, of the options that take a value and of those that take none. */
export interface OptionNames {
  readonly takesValue: ReadonlySet<string>;
  readonly flags: ReadonlySet<string>;
}
