/** Which packages the executable holds: those from which the bundler takes code, and no others. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The roots of the executable, as the build names them. */
const ENTRY_POINTS = ["cli/main.ts", "storage/file-worker.ts"];

export interface Bundled {
  readonly name: string;
  readonly version: string;
  /** As its package.json says it: an SPDX expression. */
  readonly licence: string;
  /** The texts of its licence files, by file name. */
  readonly texts: ReadonlyMap<string, string>;
  /** The notices of copyright in its bundled files, by paragraph, each once: of others too, whose code it has taken in. */
  readonly notices: readonly string[];
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** Every bundled package, by name. Throws when one has no licence, or no text of it. */
export async function findBundled(): Promise<readonly Bundled[]> {
  const { metafile } = await Bun.build({
    entrypoints: ENTRY_POINTS,
    root: ".",
    target: "bun",
    metafile: true,
    define: { "process.env.NODE_ENV": '"production"' },
    // It is made of what is found here.
    external: ["*/THIRD-PARTY.txt"],
  });
  const files = new Map<string, string[]>();
  for (const { inputs } of Object.values(metafile?.outputs ?? {})) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
      if (folder === undefined || bytesInOutput === 0) continue;
      files.set(folder, [...(files.get(folder) ?? []), path]);
    }
  }
  if (files.size === 0) throw new Error("the bundler told of no package");
  return Array.from(files, ([folder, paths]) => read(folder, paths)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function read(folder: string, paths: readonly string[]): Bundled {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Readonly<Record<string, unknown>>;
  const { name, version, license: licence } = manifest;
  if (typeof name !== "string" || typeof version !== "string") throw new Error(`${folder} has no name or no version`);
  if (typeof licence !== "string") throw new Error(`${name} ${version} does not say its licence`);
  const texts = new Map(
    readdirSync(folder)
      .filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file))
      .sort()
      .map((file) => [file, readFileSync(join(folder, file), "utf8").trimEnd()]),
  );
  if (texts.size === 0) throw new Error(`${name} ${version} (${licence}) comes without the text of its licence`);
  const notices = new Set(paths.toSorted().flatMap((path) => noticesIn(readFileSync(path, "utf8"))));
  return { name, version, licence, texts, notices: [...notices], manifest };
}

/** The paragraphs of the comments that speak of copyright or a licence, without their marks. */
function noticesIn(source: string): string[] {
  const comments = source.matchAll(/\/\*[^]*?\*\/|^[ \t]*\/\/.*(?:\n[ \t]*\/\/.*)*/gm);
  return Array.from(comments, ([comment]) => withoutMarks(comment))
    .filter((text) => /copyright|\(c\) \d{4}|licen[cs]ed? /i.test(text))
    .flatMap((text) => text.split(/\n{2,}/));
}

function withoutMarks(comment: string): string {
  return comment
    .split("\n")
    .map((line) => line.replace(/^\s*(?:\/\*[*!]*|\*\/|\*|\/\/+)? ?/, "").replace(/\s*(?:\*\/)?\s*$/, ""))
    .join("\n")
    .trim();
}
