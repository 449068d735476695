/** The client's way to its server, settled: flags over COFFER_* over VAULT_* over the defaults. */

import type { ConnectionFlags } from "./connection-options.ts";
import { type Environment, type Setting, setting } from "./environment.ts";
import { CliError } from "./errors.ts";
import { type Authority, readAuthority, readIdentity } from "./pem-files.ts";
import { parseServerAddress, type ServerAddress } from "./server-address.ts";

export interface Connection extends ServerAddress {
  /** As `fetch` takes it; undefined for a server without TLS. */
  readonly tls: ServerCheck | undefined;
  /** Where the trusted certificates came from; undefined: those that the runtime brings along. */
  readonly trust: Setting | undefined;
  /** What people are to know before it is used. */
  readonly warnings: readonly string[];
}

/** Which server is accepted, and what it is shown. */
interface ServerCheck {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

const DEFAULT_ADDRESS = "http://127.0.0.1:8200";

/** Reads what the settings name. Rejects with CliError. */
export async function findConnection(env: Environment, flags: ConnectionFlags): Promise<Connection> {
  const address = parseServerAddress(
    pick(env, flags.address, "--address", "ADDR") ?? { value: DEFAULT_ADDRESS, source: "the default" },
  );
  if (address.base.protocol === "https:") return { ...address, warnings: [], ...(await findCheck(env, flags)) };
  return { ...address, tls: undefined, trust: undefined, warnings: withoutTls(address, flags) };
}

function withoutTls({ name, isLocal }: ServerAddress, flags: ConnectionFlags): string[] {
  const warnings: string[] = [];
  const unused = [
    ["-ca-cert", flags.caCert],
    ["-ca-path", flags.caPath],
    ["-client-cert", flags.clientCert],
    ["-client-key", flags.clientKey],
    ["-tls-server-name", flags.tlsServerName],
  ].flatMap(([flag, value]) => (value === undefined ? [] : [flag]));
  if (unused.length > 0) warnings.push(`${unused.join(", ")}: not used, for ${name} is reached without TLS`);
  if (!isLocal) {
    warnings.push(`tokens, key shares and secrets cross the network to ${name} in the clear: reach it by https://`);
  }
  return warnings;
}

function pick(env: Environment, flag: string | undefined, option: string, name: string): Setting | undefined {
  return flag === undefined ? setting(env, name) : { value: flag, source: option };
}

async function findCheck(env: Environment, flags: ConnectionFlags): Promise<Pick<Connection, "tls" | "trust">> {
  const rejectUnauthorized = !(flags.tlsSkipVerify ?? isSkipped(setting(env, "SKIP_VERIFY")));
  const serverName = pick(env, flags.tlsServerName, "--tls-server-name", "TLS_SERVER_NAME")?.value;
  const authority = findAuthority(env, flags);
  const cert = pick(env, flags.clientCert, "--client-cert", "CLIENT_CERT");
  const key = pick(env, flags.clientKey, "--client-key", "CLIENT_KEY");
  const [trusted, identity] = await Promise.all([authority && readAuthority(authority), readIdentity(cert, key)]);
  return {
    tls: {
      rejectUnauthorized,
      ...(serverName === undefined ? {} : { serverName }),
      ...(trusted === undefined ? {} : { ca: trusted }),
      ...identity,
    },
    trust: authority,
  };
}

/** A flag of either kind is over every variable; of two from the same place the file counts, as with `vault`. */
function findAuthority(env: Environment, { caCert, caPath }: ConnectionFlags): Authority | undefined {
  if (caCert !== undefined) return { kind: "file", value: caCert, source: "--ca-cert" };
  if (caPath !== undefined) return { kind: "folder", value: caPath, source: "--ca-path" };
  const [file, folder] = [setting(env, "CACERT"), setting(env, "CAPATH")];
  const isFolder = file === undefined || (file.source.startsWith("VAULT_") && folder?.source.startsWith("COFFER_"));
  if (isFolder) return folder && { kind: "folder", ...folder };
  return { kind: "file", ...file };
}

/** Go's words for true and false, as `vault` takes them. */
function isSkipped(found: Setting | undefined): boolean {
  if (found === undefined) return false;
  if (/^(1|t|T|true|True|TRUE)$/.test(found.value)) return true;
  if (/^(0|f|F|false|False|FALSE)$/.test(found.value)) return false;
  throw new CliError(`${found.source} is neither true nor false`, `set ${found.source} to true or false, or unset it`);
}
