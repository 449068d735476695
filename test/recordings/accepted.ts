/** Where this server's answers are other than the recorded ones, and why that is accepted. */

export interface Accepted {
  readonly recording: string;
  /** The line's. */
  readonly name: string;
  readonly reason: string;
}

const REFUSED_DOTS = "dot segments are refused, encoded or not: a redirect would have a client send its token twice";
const NO_VALUE = "the text would repeat what the client sent; it says the same without";
const HELP = "help is not there yet";
const SHORT_INTERVAL =
  "an interval is answered as the document of this endpoint shows it: 4320h, and empty when there is none";
const POLICIES = "policies are not there yet: every token is a root token, and one with other policies is refused";

const PLUGIN_TYPES = "this engine is not there yet";
const NO_WRAPPING = "response wrapping is not there yet: what asks for it is refused";
const CLEAR_KEYS = "keys in the clear by a mount's settings are not there: what asks for them is refused";
const HEADERS = "recording headers is not there yet";

export const ACCEPTED: readonly Accepted[] = [
  ...accept("seal-status-health", "this endpoint is not there yet", [
    "ha-status",
    "version-history",
    "version-history GET list",
    "sanitized config",
  ]),
  ...accept("seal-status-health", "the summary has this server's own numbers, as totals since its start", [
    "metrics without sink",
  ]),
  ...accept(
    "seal-status-health",
    "there is no replication; a path that is not known is told to nobody without a token",
    ["replication status"],
  ),
  ...accept("kv1", NO_VALUE, ["number out of range"]),
  ...accept("errors", REFUSED_DOTS, ["dot dot", "dot"]),
  ...accept("errors", "an empty segment is refused: a redirect would have a client send its token and its body twice", [
    "double slash",
  ]),
  ...accept("errors", "no path is redirected to its form with a slash", ["audit-hash without slash"]),

  ...accept("errors", "response wrapping is not there yet: what asks for it is refused, in one text", [
    "wrong type",
    "wrap TTL error without token",
  ]),
  ...accept("errors", HELP, ["help", "help verb"]),
  ...accept("rotate-and-config", SHORT_INTERVAL, [
    "rotate config",
    "rotate keyring config",
    "config unchanged",
    "config after set",
    "config after PUT",
    "config after interval",
    "config after enabled with a change",
    "config after interval zero",
  ]),
  ...accept("rotate-and-config", `${SHORT_INTERVAL}; and enabled is stored, also when it is sent alone`, [
    "config after enabled",
  ]),
  ...accept("rotate-and-config", NO_VALUE, ["config: interval unparsable"]),
  ...accept("rotate-and-config", POLICIES, [
    "policy that may rotate",
    "policy that may rotate with sudo",
    "child",
    "sudo child",
    "rotate without sudo",
    "config without sudo",
    "config write without sudo",
    "rotate with sudo",
    "key-status with read",
    "key-status without right",
    "config after unseal",
  ]),
  ...accept("audit", POLICIES, ["child", "child denied"]),
  ...accept("audit", NO_WRAPPING, ["wrapped lookup", "unwrap"]),
  ...accept("audit", HEADERS, ["audited header", "audited header 2"]),
  ...accept("audit", CLEAR_KEYS, ["non hmac keys"]),
  ...accept("audit-by-api", NO_VALUE, [
    "enable unknown type",
    "enable bad path",
    "enable bad mode",
    "enable bad format",
  ]),
  ...accept("audit-by-api", POLICIES, [
    "policy",
    "child",
    "list without sudo",
    "enable without sudo",
    "hash without sudo",
  ]),
  ...accept("audit-by-api", PLUGIN_TYPES, ["mount", "path parameter in the body"]),
  ...accept("errors", POLICIES, [
    "unknown fields",
    "policy child",
    "child",
    "child denied",
    "child missing read",
    "child unmounted",
    "child unknown sys path",
  ]),
];

function accept(recording: string, reason: string, names: readonly string[]): Accepted[] {
  return names.map((name) => ({ recording, name, reason }));
}

/** Of the lines of the audit device: in the form of the names of requests, as for their answers. */
export const ACCEPTED_AUDIT: readonly Accepted[] = [
  ...accept("audit", POLICIES, ["child", "child denied"]),
  ...accept("audit", NO_WRAPPING, ["wrapped lookup", "unwrap"]),
  ...accept("audit", HEADERS, ["audited header", "audited header 2", "request with headers"]),
  ...accept("audit", CLEAR_KEYS, ["non hmac keys", "write clear", "read clear"]),
  ...accept("audit", "every refusal has its kind in error, where that server leaves some without", [
    "hash without input",
    "hash unknown device",
  ]),
  ...accept("audit", "whether an entry is there is not looked up for the record: every write is an update", ["write"]),
  ...accept("audit", "the answer to a seal is recorded too, and both lines as those of any other path", ["seal"]),
];
