import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "../executable.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Situation {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** The program and what comes before its arguments; the source, run by this Bun, unless told. */
  readonly program?: readonly string[];
}

const SOURCE = [process.execPath, join(import.meta.dir, "../../cli/main.ts")];

/** Runs the command line as a process of its own, with an empty home folder and only the given environment. */
export async function coffer(args: readonly string[], situation: Situation = {}): Promise<Outcome> {
  const { stdin = "", env = {}, program = SOURCE } = situation;
  const child = Bun.spawn([...program, ...args], {
    env: { PATH: process.env["PATH"] ?? "", HOME: newFolder(), ...env },
    stdin: typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** A file with this content in a folder of its own; its path. */
export function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(newFolder(), name);
  writeFileSync(path, content);
  return path;
}
