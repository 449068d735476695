/**
 * First step of the build: writes to dist/, or to the folder that is named, what goes along with the executable, THIRD-PARTY.txt (which the executable
 * holds, too) and the bill of materials. Fails when a package comes without the text of its licence.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findBundled } from "./bundled.ts";
import { sbomText } from "./sbom.ts";
import { thirdPartyText } from "./third-party.ts";

const [folder = "dist"] = process.argv.slice(2);
const bundled = await findBundled();
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "THIRD-PARTY.txt"), thirdPartyText(bundled));
writeFileSync(join(folder, "coffer.cdx.json"), sbomText(bundled));
