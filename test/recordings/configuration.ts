import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recording } from "./recording.ts";

/** A configuration file in `folder` that starts a server like the recorded one; `auditLog` is where it records. */
export function configOf({ header }: Recording, folder: string): { config: string; auditLog: string } {
  const { audit, top = {} } = header.server ?? {};
  const auditLog = join(folder, "audit.log");
  const lines = [`storage = "file:${join(folder, "store")}"`];
  for (const [name, value] of Object.entries(top)) lines.push(`${name} = ${value}`);
  if (audit !== undefined) {
    lines.push("[[audit]]", 'type = "file"', "[audit.options]", `file_path = "${auditLog}"`);
    for (const [name, value] of Object.entries(audit)) lines.push(`${name} = "${value}"`);
  }
  const config = join(folder, "coffer.toml");
  writeFileSync(config, lines.join("\n"));
  return { config, auditLog };
}
