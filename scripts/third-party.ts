/** THIRD-PARTY.txt: whose software the executable holds, under which licences, and how to put another version into it. */
import { readFileSync } from "node:fs";
import manifest from "../package.json" with { type: "json" };
import type { Bundled } from "./bundled.ts";

const RULE = "=".repeat(80);

/** Licences that other texts in the file name, and under which parts of the runtime are. */
const COMMON = ["MIT", "LGPL-2.0", "LGPL-2.1", "GPL-3.0"];

/** The whole text. Throws when there is no notice for this version of the runtime. */
export function thirdPartyText(bundled: readonly Bundled[]): string {
  return [
    introduction(bundled),
    ...bundled.map(packageSection),
    section(`Bun ${Bun.version}, revision ${Bun.revision}`, licence(`bun-${Bun.version}.md`)),
    section("Apache License 2.0", readFileSync("LICENSE", "utf8")),
    ...COMMON.map((name) => section(`${name}, for the software above that names it`, licence(`${name}.txt`))),
  ].join("\n");
}

function introduction(bundled: readonly Bundled[]): string {
  const webkit = process.versions["webkit"] ?? "";
  return `Third-party software in Coffer ${manifest.version}

Coffer itself is under the Apache License 2.0. Its executable also holds:

${bundled.map(({ name, version, licence: terms }) => `  ${`${name} ${version}`.padEnd(38)}${terms}`).join("\n")}
  ${`Bun ${Bun.version}`.padEnd(38)}MIT; it holds JavaScriptCore (LGPL-2.0), TinyCC (LGPL-2.1) and more

The texts of all these licences follow, with the notices of copyright of the files that are in the executable.

To use another version of openpgp (LGPL-3.0, section 4)

  openpgp is used as it was published, without changes; its source is at https://github.com/openpgpjs/openpgpjs. The
  executable is built from the source of Coffer, into which any version with the same interface can be put:

    npm ci
    npm install --no-save openpgp@VERSION     or your own copy, packed by npm pack: npm install --no-save ./openpgp-VERSION.tgz
    npm run build

  dist/coffer then holds that version. No key or signature is needed for it to run.

To use another version of Bun, or of the JavaScriptCore and TinyCC in it (LGPL-2.0, section 6; LGPL-2.1, section 6)

  Bun's source is at https://github.com/oven-sh/bun, revision ${Bun.revision};
  that of its JavaScriptCore is at https://github.com/oven-sh/WebKit, revision ${webkit}.
  Bun's own notice below says how to build it with changes to these. Such a Bun makes the executable:

    npm ci
    cp /path/to/that/bun node_modules/bun/bin/bun.exe
    npm run build

`;
}

function packageSection({ name, version, licence: terms, texts, notices }: Bundled): string {
  const files = Array.from(texts, ([file, text]) => `${file}:\n\n${text}`);
  const said = notices.length === 0 ? [] : [`Notices in its files:\n\n${notices.join("\n\n")}`];
  return section(`${name} ${version}\nLicence: ${terms}`, [...files, ...said].join("\n\n"));
}

function section(title: string, text: string): string {
  return `${RULE}\n${title}\n${RULE}\n\n${text.trimEnd()}\n`;
}

function licence(file: string): string {
  return readFileSync(`scripts/licences/${file}`, "utf8");
}
