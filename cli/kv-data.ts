/** The data of `kv put`: what the arguments say, from argv, files and standard input, in the notation of `vault`. */

import { readFile } from "node:fs/promises";
import { CliError, fileProblem } from "./errors.ts";
import { isObject, parseJson } from "./json.ts";

interface Input {
  read(): Promise<Uint8Array>;
}

/**
 * The JSON object that `args` describe, as text:
 * - `key=value`; `key=@file`: the file's content, byte for byte; `key=-`: that of standard input; `key=\@x`: the text "@x";
 * - `@file` and `-`: a JSON object, whose members are added;
 * - a key that comes twice becomes a list.
 *
 * Throws CliError, which names an argument by its position: its text may be the secret itself.
 */
export async function parseData(args: readonly string[], stdin: Input): Promise<string> {
  const data = new Map<string, unknown>();
  const source = openSource(stdin);
  for (const [at, arg] of args.entries()) {
    const [, key, value = ""] = /^([^=]*)=([^]*)$/.exec(arg) ?? [];
    if (key !== undefined) {
      const content = value === "-" || value.startsWith("@") ? await source(value) : value.replace(/^\\@/, "@");
      const before = data.get(key);
      data.set(key, before === undefined ? content : [...(Array.isArray(before) ? before : [before]), content]);
    } else if (arg === "-" || arg.startsWith("@")) {
      for (const [name, member] of Object.entries(parseObject(await source(arg), arg))) data.set(name, member);
    } else {
      throw new CliError(
        `argument ${at + 1} after the path is not key=value`,
        "write key=value, key=@file or key=-; @file or - alone reads a JSON object",
      );
    }
  }
  // Object.fromEntries makes own properties of every name, "__proto__" included.
  return JSON.stringify(Object.fromEntries(data));
}

/** Reads `@path` or `-`. Standard input can be read only once. */
function openSource(stdin: Input): (from: string) => Promise<string> {
  let consumed = false;
  return async (from) => {
    const name = from === "-" ? "standard input" : from.slice(1);
    if (from === "-" && consumed) {
      throw new CliError("standard input is named twice", "give one of the two from a file: key=@file");
    }
    consumed ||= from === "-";
    const bytes = from === "-" ? await stdin.read() : await readContent(name);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new CliError(`${name} is not UTF-8 text`, "secrets are JSON: encode binary data, for example with base64");
    }
  };
}

async function readContent(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const hint = "a value after @ is read from that file; write \\@ for a value that begins with @";
    // Without the path: a password may begin with @.
    throw new CliError(`cannot read the file named after @: ${fileProblem(error)}`, hint);
  }
}

function parseObject(text: string, from: string): Readonly<Record<string, unknown>> {
  const name = from === "-" ? "standard input" : from.slice(1);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new CliError(`${name} is not JSON`, "it must hold one JSON object; to store it as it is, write key=@file");
  }
  if (isObject(value)) return value;
  throw new CliError(
    `${name} holds JSON that is not an object`,
    "only an object can be a secret; name a key: key=@file",
  );
}
