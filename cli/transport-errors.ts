/** A request that got no answer: why not, and what to do. The runtime's own messages name no host; its codes help. */

import type { Connection } from "./connection.ts";
import { CliError } from "./errors.ts";

type Explanation = readonly [problem: string, ...hints: [string, ...string[]]];

const CHECK_ADDRESS = "check the address: --address, COFFER_ADDR or VAULT_ADDR";

/** The failure of `fetch` on this connection, in words. */
export function transportError(error: unknown, failure: string, connection: Connection): CliError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const name = error instanceof Error ? error.name : "";
  const [problem, ...hints] = explain(code, name, connection);
  return new CliError(`${failure}: ${problem}`, hints, { exitCode: 2, cause: error });
}

function explain(code: string, errorName: string, connection: Connection): Explanation {
  const { base, name, socket } = connection;
  if (errorName === "TimeoutError") return [`no answer from ${name} within a minute`, "look at the server's log"];
  if (socket !== undefined) return explainSocket(code || errorName, name);
  if (code === "ECONNREFUSED" || code === "ConnectionRefused") {
    return [
      `cannot connect to ${name}`,
      "is the server running? start one with `coffer server --dev`, or set COFFER_ADDR",
    ];
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return [`the name ${base.hostname} does not resolve`, CHECK_ADDRESS];
  }
  if (base.protocol === "https:") return explainTls(code || errorName, connection);
  return [
    `the connection to ${name} broke (${code || errorName})`,
    `if the server speaks https, set COFFER_ADDR=https://${base.host}`,
  ];
}

function explainSocket(code: string, name: string): Explanation {
  if (code === "ENOENT") return [`no socket at ${name}`, "is the server running? " + CHECK_ADDRESS];
  if (code === "ECONNREFUSED") return [`nobody listens at ${name}`, "is the server running? " + CHECK_ADDRESS];
  if (code === "EACCES") {
    return [`no permission to use ${name}`, "run this as a user whom the socket's mode and folder let in"];
  }
  if (code === "ENAMETOOLONG") return [`the path in ${name} is too long for a socket`, CHECK_ADDRESS];
  return [`the connection to ${name} broke (${code})`, "look at the server's log"];
}

const SKIP = "-tls-skip-verify connects all the same, and whoever answers gets the token and every secret";

/** The codes are those of OpenSSL's check of a certificate, which Bun and Node share. */
function explainTls(code: string, { base, name, tls, trust }: Connection): Explanation {
  switch (code) {
    case "EPROTO":
      // The same code for a server without TLS, with too old a TLS, and one that wants to know the client.
      return [
        `${name} did not complete the TLS handshake`,
        `if the server speaks plain http, set COFFER_ADDR=http://${base.host}`,
        "if it asks for a certificate of the client, give -client-cert FILE and -client-key FILE",
      ];
    case "CERT_HAS_EXPIRED":
      return [`the certificate of ${name} has expired`, "renew it on the server; is this machine's clock right?", SKIP];
    case "CERT_NOT_YET_VALID":
      return [
        `the certificate of ${name} is not valid yet`,
        "are the clocks of this machine and the server right?",
        SKIP,
      ];
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return [
        `the certificate of ${name} is not for ${tls?.serverName ?? base.hostname}`,
        "ask by a name that it is for, or say that name: -tls-server-name NAME (COFFER_TLS_SERVER_NAME)",
        SKIP,
      ];
    default:
  }
  if (/CERT|SIGN|ISSUER/.test(code)) {
    return [
      trust === undefined
        ? `the certificate of ${name} is signed by an authority that is not known here (${code})`
        : `the certificate of ${name} is not signed by one of ${trust.value} (${code})`,
      "name the file of its authority's certificate: -ca-cert FILE (COFFER_CACERT, VAULT_CACERT)",
      SKIP,
    ];
  }
  return [`the connection to ${name} broke (${code})`, "check the address and the server's log"];
}
