/**
 * Turns `-format=json`, as users of `vault` type it, into `--format=json`, before the parser reads `-f -o -r …` in it.
 *
 * `takesValue` names the long options that take a value: what follows one of them is that value, whatever it looks
 * like. Left alone are also everything after `--`, a lone `-` (standard input), single letters (`-h`), numbers, and
 * operands such as `key=-value`, which do not begin with a dash.
 */
export function normaliseArguments(args: readonly string[], takesValue: ReadonlySet<string>): string[] {
  const result: string[] = [];
  let isValue = false;
  for (const [at, arg] of args.entries()) {
    if (!isValue && arg === "--") return [...result, ...args.slice(at)];
    const option: RegExpExecArray | null = isValue ? null : LONG_OPTION.exec(arg);
    const name: string = option?.[1] ?? "";
    const assigned: string | undefined = option?.[2];
    result.push(option === null ? arg : `--${name}${assigned ?? ""}`);
    isValue = option !== null && assigned === undefined && takesValue.has(name);
  }
  return result;
}

const LONG_OPTION = /^--?([a-z][a-z0-9-]+)(=[^]*)?$/i;
