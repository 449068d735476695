/**
 * Transcripts: sessions at the command line, as text.
 *
 *     server: dev                       what runs meanwhile: `dev`, `file` (a new store, not initialised), or `none`
 *     # a comment
 *     $ coffer kv get secret/{{name}}   a command; NAME=value before it sets the environment, 'quotes' hold words together
 *     < text                            a line of its standard input
 *     > text                            a line of its standard output, all of them
 *     ! text                            a line of its standard error, all of them
 *     ? 2                               its exit code, 0 when there is no such line
 *
 * In `>` and `!` lines `{{number}}`, `{{uuid}}`, `{{base64}}`, `{{word}}` and `{{any}}` stand for what varies;
 * `{{share:base64}}` keeps what it stood for, and `{{share}}` in a later line is that.
 */

import { expect } from "bun:test";
import type { Outcome } from "./spawn.ts";

const VARYING: Readonly<Record<string, string>> = {
  number: "\\d+",
  uuid: "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
  base64: "[A-Za-z0-9+/]+=*",
  word: "\\S+",
  any: ".*",
};

export interface Step {
  readonly line: number;
  readonly command: string;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface Transcript {
  readonly server: string;
  readonly steps: readonly Step[];
}

export function parseTranscript(text: string): Transcript {
  const [first = "", ...rest] = text.trimEnd().split("\n");
  const server = /^server: (dev|file|none)$/.exec(first)?.[1];
  if (server === undefined) throw new Error("a transcript begins with the server that it needs");
  const steps: { -readonly [Name in keyof Step]: Step[Name] }[] = [];
  for (const [at, line] of rest.entries()) {
    const [, mark = "", content = ""] = /^([$<>!?])(?: (.*))?$/.exec(line) ?? [];
    if (mark === "") {
      if (line.trim() === "" || line.startsWith("#")) continue;
      throw new Error(`line ${at + 2} of the transcript is of no known kind`);
    }
    if (mark === "$") {
      steps.push({ line: at + 2, command: content, stdin: "", stdout: "", stderr: "", code: 0 });
      continue;
    }
    const step = steps.at(-1);
    if (step === undefined) throw new Error(`line ${at + 2} of the transcript stands before the first command`);
    if (mark === "<") step.stdin += `${content}\n`;
    else if (mark === ">") step.stdout += `${content}\n`;
    else if (mark === "!") step.stderr += `${content}\n`;
    else step.code = Number(content);
  }
  return { server, steps };
}

/** The environment and the arguments of a command line, with what earlier steps kept put in. */
export function parseCommand(command: string, kept: ReadonlyMap<string, string>) {
  const words = Array.from(fill(command, kept).matchAll(/(?:'[^']*'|[^\s'])+/g), ([word]) => word.replaceAll("'", ""));
  const start = words.indexOf("coffer");
  if (start < 0) throw new Error(`"${command}" does not run coffer`);
  const env = Object.fromEntries(words.slice(0, start).map((word) => word.split(/=(.*)/s).slice(0, 2)));
  return { env, args: words.slice(start + 1) };
}

export function fill(text: string, kept: ReadonlyMap<string, string>): string {
  return text.replace(/\{\{([a-z0-9_]+)\}\}/g, (placeholder, name: string) => kept.get(name) ?? placeholder);
}

/** Compares what happened with what the step says, and keeps what its placeholders stood for. */
export function check(step: Step, { code, stdout, stderr }: Outcome, kept: Map<string, string>): void {
  const where = { line: step.line, command: step.command };
  // The exit code goes with the text that explains it.
  if (code !== step.code) expect({ ...where, code, stdout, stderr }).toEqual({ ...where, ...step, code: step.code });
  match(where, stdout, step.stdout, kept);
  match(where, stderr, step.stderr, kept);
}

function match(where: object, actual: string, expected: string, kept: Map<string, string>): void {
  const names: string[] = [];
  const pattern = fill(expected, kept)
    .split(/(\{\{[a-z0-9_:]+\}\})/)
    .map((part) => {
      const [, name, kind = name ?? ""] = /^\{\{([a-z0-9_]+)(?::([a-z0-9]+))?\}\}$/.exec(part) ?? [];
      if (name === undefined) return part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
      // A placeholder without a name of its own keeps nothing.
      names.push(name === kind ? "" : name);
      return `(${VARYING[kind] ?? "no such placeholder"})`;
    })
    .join("");
  // What the last step printed may lack a final line break; a transcript cannot say so, and does not mind.
  const found = new RegExp(`^${pattern}$`).exec(actual === "" || actual.endsWith("\n") ? actual : `${actual}\n`);
  if (found === null) expect({ ...where, text: actual }).toEqual({ ...where, text: expected });
  for (const [at, name] of names.entries()) if (name !== "") kept.set(name, found?.[at + 1] ?? "");
}
