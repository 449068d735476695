/** The options through which every client command reaches its server; how they are settled is in connection.ts. */

import { Option } from "commander";

export interface ConnectionFlags {
  readonly address?: string;
  /** Paths of PEM files; `caPath` of a folder of them. */
  readonly caCert?: string;
  readonly caPath?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly tlsServerName?: string;
  readonly tlsSkipVerify?: boolean;
}

/** The options, for a group of their own in the help. */
export function connectionOptions(): readonly Option[] {
  return [
    new Option(
      "--address <url>",
      "the server, unix:///PATH too (COFFER_ADDR, VAULT_ADDR; default: http://127.0.0.1:8200)",
    ),
    new Option(
      "--ca-cert <file>",
      "trust servers whose certificate this one signed, and no others (COFFER_CACERT, VAULT_CACERT)",
    ),
    new Option(
      "--ca-path <folder>",
      "trust every certificate in this folder, and no others (COFFER_CAPATH, VAULT_CAPATH)",
    ),
    new Option(
      "--client-cert <file>",
      "this client's certificate, if the server asks for one (COFFER_CLIENT_CERT, VAULT_CLIENT_CERT)",
    ),
    new Option("--client-key <file>", "the key of that certificate (COFFER_CLIENT_KEY, VAULT_CLIENT_KEY)"),
    new Option(
      "--tls-server-name <name>",
      "the name that the server's certificate must have (COFFER_TLS_SERVER_NAME, VAULT_TLS_SERVER_NAME)",
    ),
    new Option(
      "--tls-skip-verify",
      "accept any certificate: gives up knowing who gets the token (COFFER_SKIP_VERIFY, VAULT_SKIP_VERIFY)",
    ),
  ].map((option) => option.helpGroup("Connection:"));
}
