/** What the build puts beside the executable: the licences of others and the bill of materials. */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import manifest from "../package.json";
import { coffer, type Outcome } from "./cli/spawn.ts";
import { EXECUTABLE, newFolder } from "./executable.ts";

const DIST = dirname(EXECUTABLE);
const ROOT = join(import.meta.dir, "..");
const thirdParty = readFileSync(join(DIST, "THIRD-PARTY.txt"), "utf8");
const sbom = readFileSync(join(DIST, "coffer.cdx.json"), "utf8");

/** The packages in the list at the top of THIRD-PARTY.txt. */
const listed = Array.from(thirdParty.matchAll(/^ {2}(\S+ \d\S*) +\S/gm), ([, name]) => name);

describe("THIRD-PARTY.txt", () => {
  test("is what `coffer version -licenses` prints", async () => {
    const outcome = await coffer(["version", "-licenses"], { program: [EXECUTABLE] });
    expect(outcome).toEqual({ code: 0, stdout: thirdParty, stderr: "" });
  });

  test("has every dependency that is in the executable, and nothing that only builds it", () => {
    for (const [name, version] of Object.entries(manifest.dependencies)) expect(listed).toContain(`${name} ${version}`);
    for (const name of ["typescript", "knip", "fast-check", "@cyclonedx/cyclonedx-library"]) {
      expect(listed.filter((each) => each?.startsWith(`${name} `))).toEqual([]);
    }
    expect(listed).toContain(`Bun ${manifest.devDependencies.bun}`);
  });

  test("has a section for each, with the text of its licence", () => {
    for (const name of listed) {
      const section = thirdParty.split(`\n${"=".repeat(80)}\n${name}`)[1]?.split(`\n${"=".repeat(80)}\n`)[1] ?? "";
      expect({ name, isLong: section.length > 500 }).toEqual({ name, isLong: true });
    }
  });

  test("has the texts of the licences that ask for it, and how to put another openpgp in", () => {
    for (const title of [
      "GNU LESSER GENERAL PUBLIC LICENSE\n                       Version 3",
      "GNU GENERAL PUBLIC LICENSE\n                       Version 3",
      "GNU LIBRARY GENERAL PUBLIC LICENSE\n                       Version 2",
      "GNU LESSER GENERAL PUBLIC LICENSE\n                       Version 2.1",
      "Apache License\n                           Version 2.0",
    ]) {
      expect(thirdParty).toContain(title);
    }
    expect(thirdParty).toContain("npm install --no-save openpgp@VERSION");
    // Code of others inside it, by its notice.
    expect(thirdParty).toContain("Copyright Fedor Indutny, 2014.");
  });
});

/** Runs the step of the build in `cwd`; it writes to dist/ there, or to the folder that is named. */
async function makeNotices(cwd: string, ...folder: string[]): Promise<Outcome> {
  const child = Bun.spawn([process.execPath, join(ROOT, "scripts/notices.ts"), ...folder], {
    cwd,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** A program that bundles one package, `left-out`, with these files. */
function programWith(files: Readonly<Record<string, string>>): string {
  const folder = newFolder();
  for (const [path, text] of Object.entries({
    "cli/main.ts": 'import { used } from "left-out";\nconsole.log(used);\n',
    "storage/file-worker.ts": "",
    "node_modules/left-out/index.js": "export const used = process.argv.length;\n",
    "node_modules/left-out/package.json": '{"name":"left-out","version":"1.2.3","license":"MIT","main":"index.js"}',
    ...files,
  })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

describe("the build", () => {
  test("fails for a package without the text of its licence, or without a licence", async () => {
    const untold = await makeNotices(programWith({}));
    expect(untold.code).not.toBe(0);
    expect(untold.stderr).toContain("left-out 1.2.3 (MIT) comes without the text of its licence");
    const unlicensed = '{"name":"left-out","version":"1.2.3","main":"index.js"}';
    const nameless = await makeNotices(programWith({ "node_modules/left-out/package.json": unlicensed }));
    expect(nameless.code).not.toBe(0);
    expect(nameless.stderr).toContain("left-out 1.2.3 does not say its licence");
  });

  test("takes the notices from the files that are bundled, each once", async () => {
    const notice = "/*! other-code - MIT License (c) 2020 Somebody */\n";
    const folder = programWith({
      "node_modules/left-out/LICENSE": "the licence of left-out",
      "node_modules/left-out/index.js": `${notice}${notice}export const used = process.argv.length;\n`,
      "node_modules/left-out/unused.js": "/* Copyright of what is not bundled */\n",
      LICENSE: "the program's own",
    });
    cpSync(join(ROOT, "scripts/licences"), join(folder, "scripts/licences"), { recursive: true });
    expect(await makeNotices(folder)).toEqual({ code: 0, stdout: "", stderr: "" });
    const text = readFileSync(join(folder, "dist/THIRD-PARTY.txt"), "utf8");
    expect(text).toContain(
      "left-out 1.2.3\nLicence: MIT\n" +
        `${"=".repeat(80)}\n\nLICENSE:\n\nthe licence of left-out\n\n` +
        "Notices in its files:\n\nother-code - MIT License (c) 2020 Somebody\n\n=",
    );
    expect(text).not.toContain("what is not bundled");
  });
});

interface Component {
  readonly type: string;
  readonly name: string;
  readonly group?: string;
  readonly version: string;
  readonly purl: string;
  readonly "bom-ref": string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly object[];
}

interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

describe("the bill of materials", () => {
  const bom = JSON.parse(sbom) as Bom;

  test("is CycloneDX 1.6 for this version", () => {
    expect(bom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
    expect(bom.metadata.component).toMatchObject({ type: "application", name: "coffer", version: manifest.version });
  });

  test("names the same packages as THIRD-PARTY.txt, each with licence, URL and the hash of its archive", () => {
    const packages = bom.components.filter(({ type }) => type === "library");
    const names = packages.map(
      ({ group, name, version }) => `${group === undefined ? "" : `${group}/`}${name} ${version}`,
    );
    expect(names.sort()).toEqual(
      listed
        .filter((name) => !name?.startsWith("Bun "))
        .map(String)
        .sort(),
    );
    for (const { name, purl, licenses, hashes } of packages) {
      expect({ name, purl, licences: licenses.length, hashes }).toEqual({
        name,
        purl: expect.stringMatching(/^pkg:npm\/(%40[^/]+\/)?[^/@]+@\d/),
        licences: 1,
        hashes: [{ alg: "SHA-512", content: expect.stringMatching(/^[0-9a-f]{128}$/) }],
      });
    }
  });

  test("has the runtime, and relates the executable to all of it", () => {
    const runtime = bom.components.find(({ type }) => type === "platform");
    expect(runtime).toMatchObject({ name: "bun", version: manifest.devDependencies.bun });
    const own = bom.dependencies.find(({ ref }) => ref === bom.metadata.component["bom-ref"]);
    expect(own?.dependsOn?.toSorted()).toEqual(bom.components.map((each) => each["bom-ref"]).sort());
    const refs = sbom.match(/"bom-ref": "[^"]+"/g) ?? [];
    expect(new Set(refs).size).toBe(refs.length);
  });

  test("is the same whenever it is made", async () => {
    const folder = newFolder();
    expect((await makeNotices(ROOT, folder)).code).toBe(0);
    expect(readFileSync(join(folder, "coffer.cdx.json"), "utf8")).toBe(sbom);
    expect(readFileSync(join(folder, "THIRD-PARTY.txt"), "utf8")).toBe(thirdParty);
  });
});
