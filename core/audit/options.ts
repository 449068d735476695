import { invalid } from "../errors.ts";
import { parseBool } from "../http/fields.ts";
import type { AuditOptions } from "./device.ts";

/** How a device writes its lines, as its options say. */
export interface LineOptions {
  /** Bodies and tokens in the clear. Key shares are hashed even then. */
  readonly logRaw: boolean;
  readonly hmacAccessor: boolean;
  /** How many keys a list has in the place of the keys. */
  readonly elideListResponses: boolean;
  readonly prefix: string;
}

/** The options of lines, which every type of device has. */
export const LINE_OPTIONS = ["format", "log_raw", "hmac_accessor", "elide_list_responses", "prefix"];

/** Throws ApiError `invalid` for a value that is none; options that are not about lines are the device's own. */
export function parseLineOptions(options: AuditOptions, allowPrefix: boolean): LineOptions {
  const { format = "json", prefix = "" } = options;
  if (prefix !== "" && !allowPrefix) throw invalid("audit log prefixing is not allowed");
  if (format !== "json") throw invalid('unknown format type: "format" may be "json" only');
  return {
    logRaw: flag(options, "log_raw", false),
    hmacAccessor: flag(options, "hmac_accessor", true),
    elideListResponses: flag(options, "elide_list_responses", false),
    prefix,
  };
}

function flag(options: AuditOptions, name: string, usual: boolean): boolean {
  const text = options[name];
  if (text === undefined || text === "") return usual;
  const value = parseBool(text);
  if (value === undefined) throw invalid(`"${name}" is no boolean`);
  return value;
}
