/** The `[[audit]]` tables of the configuration file: their form, and the devices that they declare. */

import * as v from "valibot";
import type { AuditDevice, AuditOptions, AuditSettings, DeclaredDevice } from "../../core/audit/device.ts";
import { parseLineOptions } from "../../core/audit/options.ts";
import { ApiError } from "../../core/errors.ts";
import { CliError } from "../errors.ts";
import { openAuditDevice } from "./open.ts";

const Text = v.string("must be a string in quotes");
const Option = v.pipe(v.union([v.string(), v.boolean()], "must be a string or a boolean"), v.transform(String));

/** One `[[audit]]`. `path` is the name under which `sys/audit` lists it; the type unless told. */
export const AuditTable = v.strictObject(
  {
    type: v.picklist(["file", "socket"], 'must be "file" or "socket"'),
    path: v.optional(
      v.pipe(
        Text,
        v.regex(/^[\w.-]+(?:\/[\w.-]+)*\/?$/, "must be letters, digits, dots, dashes and underscores between slashes"),
      ),
    ),
    description: v.optional(Text, ""),
    options: v.record(v.string(), Option, "must be a table"),
  },
  "must be a table",
);

export interface AuditConfig {
  readonly devices: readonly v.InferOutput<typeof AuditTable>[];
  readonly allowApi: boolean;
  readonly allowPrefix: boolean;
}

/** The opened devices of a configuration. Disposing of it closes them. */
export interface OpenAudit extends AsyncDisposable {
  readonly settings: AuditSettings;
}

/** Opens what `config` declares. Throws CliError, which names the device, for one that cannot be opened. */
export async function openAudit({ devices, allowApi, allowPrefix }: AuditConfig): Promise<OpenAudit> {
  const declared: DeclaredDevice[] = [];
  const close = async () => {
    for (const { device } of declared) await device.close();
  };
  try {
    for (const { type, path = type, description, options } of devices) {
      const folder = path.endsWith("/") ? path : `${path}/`;
      if (declared.some((other) => folder.startsWith(other.path) || other.path.startsWith(folder)))
        throw new CliError(`audit device ${folder}: path already in use`, "give each [[audit]] a path of its own");
      const device = await openNamed(folder, type, options, allowPrefix);
      declared.push({ path: folder, type, description, options, local: false, device });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { settings: { declared, open: openAuditDevice, allowApi, allowPrefix }, [Symbol.asyncDispose]: close };
}

async function openNamed(
  path: string,
  type: string,
  options: AuditOptions,
  allowPrefix: boolean,
): Promise<AuditDevice> {
  try {
    parseLineOptions(options, allowPrefix);
    return await openAuditDevice(type, options);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new CliError(`audit device ${path}: ${error.message}`, "see [[audit]] in the configuration file", {
      cause: error,
    });
  }
}
