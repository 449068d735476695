/** coffer.cdx.json: the software bill of materials of the executable, in CycloneDX. The same sources give the same bytes. */
import { Contrib, Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import lock from "../package-lock.json" with { type: "json" };
import manifest from "../package.json" with { type: "json" };
import type { Bundled } from "./bundled.ts";

/** What Bun is linked with, as it names the versions: those in which weaknesses may become known. */
const LINKED = [
  ["boringssl", "BoringSSL"],
  ["webkit", "JavaScriptCore"],
  ["sqlite", "SQLite"],
  ["icu", "ICU"],
  ["ares", "c-ares"],
  ["lshpack", "ls-hpack"],
  ["picohttpparser", "picohttpparser"],
  ["mimalloc", "mimalloc"],
  ["zlib", "zlib"],
  ["zstd", "zstd"],
  ["libdeflate", "libdeflate"],
  ["libarchive", "libarchive"],
  ["lolhtml", "lol-html"],
  ["tinycc", "TinyCC"],
] as const;

const licences = new Contrib.License.Factories.LicenseFactory(() => undefined);
const builder = new Contrib.FromNodePackageJson.Builders.ComponentBuilder(
  new Contrib.FromNodePackageJson.Factories.ExternalReferenceFactory(),
  licences,
);

/** The JSON text. */
export function sbomText(bundled: readonly Bundled[]): string {
  const coffer = build(manifest, Enums.ComponentType.Application, `pkg:generic/coffer@${manifest.version}`);
  const bom = new Models.Bom({
    metadata: new Models.Metadata({
      component: coffer,
      tools: new Models.Tools({ components: new Models.ComponentRepository([generator()]) }),
    }),
    components: new Models.ComponentRepository([...bundled.map(packageComponent), runtime()]),
  });
  for (const { bomRef } of bom.components) coffer.dependencies.add(bomRef);
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function packageComponent({ name, version, manifest: data }: Bundled): Models.Component {
  const component = build(data, Enums.ComponentType.Library, npmUrl(name, version));
  const hash = lockedHash(name, version);
  if (hash !== undefined) component.hashes.set(Enums.HashAlgorithm["SHA-512"], hash);
  return component;
}

function build(data: object, type: Enums.ComponentType, url: string): Models.Component {
  const component = builder.makeComponent({ ...data }, type);
  if (component === undefined) throw new Error(`${url} has no name`);
  component.purl = url;
  component.bomRef.value = url;
  return component;
}

function npmUrl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** The SHA-512 of the package's archive, in hex; undefined when it is another than the lock file names. */
function lockedHash(name: string, version: string): string | undefined {
  const entries: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>> = lock.packages;
  const found = Object.entries(entries).find(
    ([path, entry]) => path.endsWith(`node_modules/${name}`) && entry.version === version,
  );
  const integrity = /^sha512-(.+)$/.exec(found?.[1].integrity ?? "")?.[1];
  return integrity && Buffer.from(integrity, "base64").toString("hex");
}

function runtime(): Models.Component {
  const url = `pkg:github/oven-sh/bun@bun-v${Bun.version}`;
  const linked = LINKED.map(([key, name]) => {
    const version = process.versions[key];
    if (version === undefined) throw new Error(`Bun does not say its version of ${name}`);
    return new Models.Component(Enums.ComponentType.Library, name, { version, bomRef: `${url}#${key}` });
  });
  return new Models.Component(Enums.ComponentType.Platform, "bun", {
    version: Bun.version,
    description: "the JavaScript runtime that is part of the executable",
    licenses: new Models.LicenseRepository([licences.makeSpdxLicense("MIT")]),
    purl: url,
    bomRef: url,
    components: new Models.ComponentRepository(linked),
  });
}

function generator(): Models.Component {
  const name = "@cyclonedx/cyclonedx-library";
  const version = manifest.devDependencies[name];
  return new Models.Component(Enums.ComponentType.Library, name, { version, purl: npmUrl(name, version) });
}
