/**
 * The server's configuration file, `coffer.toml`:
 *
 *     storage = "file:/var/lib/coffer"
 *     log_level = "info"
 *     unauthenticated = ["generate-share"]
 *
 *     [listener]
 *     address = "127.0.0.1:8200"
 *     unsafe_without_tls = false
 *
 *     [[audit]]
 *     type = "file"
 *     options = { file_path = "/var/log/coffer/audit.log" }
 *
 * Every key may be left out. A key that is not known is refused: a misspelt one would silently not hold.
 */

import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import { type AuditConfig, AuditTable } from "./audit/declared.ts";
import { CliError, fileProblem } from "./errors.ts";
import { LOG_LEVELS, type LogLevel } from "./log-level.ts";

export interface Config {
  /** URL of the store; undefined: the command line has to name one. */
  readonly storage: string | undefined;
  readonly logLevel: LogLevel;
  /** Endpoint families that ask for no token. */
  readonly unauthenticated: readonly "generate-share"[];
  /** `address` as {@link parseListenAddress} of listen-address.ts takes it. */
  readonly listener: { readonly address: string; readonly unsafeWithoutTls: boolean };
  readonly audit: AuditConfig;
}

const Text = v.pipe(v.string("must be a string in quotes"), v.nonEmpty("must not be empty"));

const ConfigFile = v.strictObject({
  storage: v.optional(Text),
  log_level: v.optional(v.picklist(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`), "info"),
  unauthenticated: v.optional(
    v.array(v.picklist(["generate-share"], 'may hold "generate-share" only'), "must be a list"),
    [],
  ),
  listener: v.optional(
    v.strictObject(
      {
        address: v.optional(Text, "127.0.0.1:8200"),
        unsafe_without_tls: v.optional(v.boolean("must be true or false, without quotes"), false),
      },
      "must be a table",
    ),
    {},
  ),
  audit: v.optional(v.array(AuditTable, "must be tables: [[audit]]"), []),
  unsafe_allow_api_audit_creation: v.optional(v.boolean("must be true or false, without quotes"), false),
  allow_audit_log_prefixing: v.optional(v.boolean("must be true or false, without quotes"), false),
});

const KNOWN = [
  "known keys: storage, log_level, unauthenticated, unsafe_allow_api_audit_creation, allow_audit_log_prefixing,",
  "address, unsafe_without_tls under [listener], and type, path, description, options under [[audit]]",
].join(" ");

/** Reads and checks the file at `path`. Throws CliError, which names file, key and line and never quotes a value. */
export function loadConfig(path: string): Config {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const problem = error instanceof TypeError ? "it is not UTF-8 text" : fileProblem(error);
    throw new CliError(`cannot read ${path}: ${problem}`, "name the configuration file with --config", {
      cause: error,
    });
  }
  return parseConfig(text, path);
}

/** Checks the text of a configuration file; `name` is what errors call it. `parseConfig("", "")` gives the defaults. */
export function parseConfig(text: string, name: string): Config {
  const checked = v.safeParse(ConfigFile, parseToml(text, name));
  if (!checked.success) throw invalid(checked.issues[0], name);
  const { storage, log_level, unauthenticated, listener } = checked.output;
  return {
    storage,
    logLevel: log_level,
    unauthenticated,
    listener: { address: listener.address, unsafeWithoutTls: listener.unsafe_without_tls },
    audit: {
      devices: checked.output.audit,
      allowApi: checked.output.unsafe_allow_api_audit_creation,
      allowPrefix: checked.output.allow_audit_log_prefixing,
    },
  };
}

function parseToml(text: string, name: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    // The parser's message quotes the lines around the mistake: only its line number goes on, and no cause.
    const line = error instanceof TomlError ? ` line ${error.line}:` : "";
    throw new CliError(`${name}:${line} not valid TOML`, 'write key = "value", one on a line, each key once');
  }
}

function invalid(issue: v.InferIssue<typeof ConfigFile>, name: string): CliError {
  const key = v.getDotPath(issue) ?? "";
  // Valibot's own messages quote the value, so an unknown key gets words of its own; the others are those above.
  const problem = issue.type === "strict_object" && issue.expected === "never" ? "is not a known key" : issue.message;
  return new CliError(`${name}: ${key} ${problem}`, KNOWN);
}
