/**
 * The server's configuration file, `coffer.toml`:
 *
 *     storage = "file:/var/lib/coffer"
 *     log_level = "info"
 *     unauthenticated = ["generate-share"]
 *
 *     [listener]
 *     address = "10.0.0.5:8200"                            # or "unix:///run/coffer/coffer.sock"
 *     tls_cert_file = "/etc/coffer/server.pem"
 *     tls_key_file = "/etc/coffer/server.key"
 *     x_forwarded_for_authorized_addrs = ["10.0.0.0/8"]
 *
 *     [limits]
 *     refusals_per_minute = 100
 *
 *     [telemetry]
 *     unauthenticated_metrics_access = false
 *     [[audit]]
 *     type = "file"
 *     options = { file_path = "/var/log/coffer/audit.log" }
 *
 * Every key may be left out. A key that is not known is refused: a misspelt one would silently not hold.
 */

import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import { REFUSALS_PER_MINUTE } from "../core/access/refusals.ts";
import { type AuditConfig, AuditTable } from "./audit/declared.ts";
import { CliError, fileProblem } from "./errors.ts";
import { TrustedProxies } from "./http/forwarded.ts";
import { LOG_LEVELS, type LogLevel } from "./log-level.ts";
import type { TlsFiles } from "./tls-files.ts";

export interface Config {
  /** URL of the store; undefined: the command line has to name one. */
  readonly storage: string | undefined;
  readonly logLevel: LogLevel;
  /** Endpoint families that ask for no token. */
  readonly unauthenticated: readonly "generate-share"[];
  readonly listener: ListenerConfig;
  /** How many wrong tokens and key shares each address may send in a minute. */
  readonly limits: { readonly refusalsPerMinute: number };
  /** Whether `sys/metrics` answers without a token, and while sealed. */
  readonly telemetry: { readonly unauthenticatedMetricsAccess: boolean };
  readonly audit: AuditConfig;
}

interface ListenerConfig {
  /** As {@link parseListenAddress} of listen-address.ts takes it. */
  readonly address: string;
  readonly unsafeWithoutTls: boolean;
  /** Permissions of a Unix socket. */
  readonly socketMode: number;
  /** undefined: no TLS. */
  readonly tls: TlsFiles | undefined;
  /** Addresses and ranges of proxies whose `X-Forwarded-For` counts. */
  readonly trustedProxies: readonly string[];
  readonly maxConnections: number;
}

const Text = v.pipe(v.string("must be a string in quotes"), v.nonEmpty("must not be empty"));

const Flag = v.boolean("must be true or false, without quotes");

/** Each may hold some 200 KiB, and a file descriptor, of which many systems give 1024. */
const DEFAULT_CONNECTIONS = 1000;

const REFUSALS = "must be a whole number from 1 to 1000000";

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
        unsafe_without_tls: v.optional(Flag, false),
        socket_mode: v.optional(
          v.pipe(v.string("must be a string in quotes"), v.regex(/^0?[0-7]{3}$/, 'must be like "0660"')),
          "0600",
        ),
        tls_cert_file: v.optional(Text),
        tls_key_file: v.optional(Text),
        tls_client_ca_file: v.optional(Text),
        tls_require_and_verify_client_cert: v.optional(Flag, false),
        x_forwarded_for_authorized_addrs: v.optional(v.array(Text, "must be a list"), []),
        max_connections: v.optional(
          v.pipe(v.number("must be a number"), v.integer("must be whole"), v.minValue(1, "must be at least 1")),
          DEFAULT_CONNECTIONS,
        ),
      },
      "must be a table",
    ),
    {},
  ),
  limits: v.optional(
    v.strictObject(
      {
        refusals_per_minute: v.optional(
          v.pipe(v.number(REFUSALS), v.integer(REFUSALS), v.minValue(1, REFUSALS), v.maxValue(1_000_000, REFUSALS)),
          REFUSALS_PER_MINUTE,
        ),
      },
      "must be a table",
    ),
    {},
  ),
  telemetry: v.optional(
    v.strictObject({ unauthenticated_metrics_access: v.optional(Flag, false) }, "must be a table"),
    {},
  ),
  audit: v.optional(v.array(AuditTable, "must be tables: [[audit]]"), []),
  unsafe_allow_api_audit_creation: v.optional(Flag, false),
  allow_audit_log_prefixing: v.optional(Flag, false),
});

const KNOWN = [
  "known keys: storage, log_level, unauthenticated, unsafe_allow_api_audit_creation, allow_audit_log_prefixing",
  "under [listener]: address, unsafe_without_tls, socket_mode, tls_cert_file, tls_key_file, tls_client_ca_file, tls_require_and_verify_client_cert, x_forwarded_for_authorized_addrs, max_connections",
  "under [limits]: refusals_per_minute; under [telemetry]: unauthenticated_metrics_access",
  "under [[audit]]: type, path, description, options",
] as const;

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
  const { storage, log_level, unauthenticated, listener, limits, telemetry } = checked.output;
  return {
    storage,
    logLevel: log_level,
    unauthenticated,
    listener: {
      address: listener.address,
      unsafeWithoutTls: listener.unsafe_without_tls,
      socketMode: Number.parseInt(listener.socket_mode, 8),
      tls: tlsOf(listener, name),
      trustedProxies: proxiesOf(listener.x_forwarded_for_authorized_addrs, name),
      maxConnections: listener.max_connections,
    },
    limits: { refusalsPerMinute: limits.refusals_per_minute },
    telemetry: { unauthenticatedMetricsAccess: telemetry.unauthenticated_metrics_access },
    audit: {
      devices: checked.output.audit,
      allowApi: checked.output.unsafe_allow_api_audit_creation,
      allowPrefix: checked.output.allow_audit_log_prefixing,
    },
  };
}

type ListenerTable = v.InferOutput<typeof ConfigFile>["listener"];

/** What is there of the certificate must be whole: half of it would otherwise mean none. */
function tlsOf(listener: ListenerTable, name: string): TlsFiles | undefined {
  const {
    tls_cert_file: cert,
    tls_key_file: key,
    tls_client_ca_file: clientCa,
    tls_require_and_verify_client_cert: requireClientCert,
  } = listener;
  const lacks = (what: string) => new CliError(`${name}: listener.${what} is missing`, KNOWN);
  if (requireClientCert && clientCa === undefined) throw lacks("tls_client_ca_file");
  if (cert === undefined && key === undefined && clientCa === undefined) return undefined;
  if (cert === undefined) throw lacks("tls_cert_file");
  if (key === undefined) throw lacks("tls_key_file");
  return { cert, key, clientCa, requireClientCert };
}

function proxiesOf(ranges: readonly string[], name: string): readonly string[] {
  try {
    void new TrustedProxies(ranges);
    return ranges;
  } catch {
    throw new CliError(
      `${name}: listener.x_forwarded_for_authorized_addrs holds what is no address`,
      'give addresses and ranges, for example ["10.0.0.0/8", "fd00::1"]',
    );
  }
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
