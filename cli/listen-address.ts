/** Where the server listens, and the rule that nobody hears secrets in the clear beyond this machine. */

import { isIP, isIPv4 } from "node:net";
import { CliError } from "./errors.ts";

/** `host` without brackets; `port` 0 lets the system choose one. `path`: of a Unix socket. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

const FORM = [
  "give an address as HOST:PORT, for example 127.0.0.1:8200, [::1]:8200, or :8200 for every interface",
  "or a Unix socket, for example unix:///run/coffer/coffer.sock",
] as const;

/**
 * Parses `127.0.0.1:8200`, `[::1]:8200`, `name:8200`, `:8200` (all IPv4 interfaces) or `unix:///path`. Throws CliError.
 */
export function parseListenAddress(text: string): ListenAddress {
  const [, path] = /^unix:(?:\/\/(?=\/))?(\/(?!\/)[^\0]+)$/.exec(text) ?? [];
  if (path !== undefined) return { path };
  const [, bracketed, plain = "", digits = ""] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const validHost =
    bracketed === undefined ? plain === "" || /^[a-z0-9][a-z0-9.-]*$/i.test(plain) : isIP(bracketed) === 6;
  if (digits === "" || port > 65_535 || !validHost) throw new CliError("this is no address to listen on", FORM);
  return { host: bracketed ?? (plain === "" ? "0.0.0.0" : plain), port };
}

/**
 * True for 127.0.0.0/8, ::1 and the literal name `localhost`. Any other name could be made to point elsewhere, so it is
 * not loopback, whatever it resolves to now.
 */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  if (isIPv4(host)) return host.startsWith("127.");
  return isIP(host) === 6 && new URL(`http://[${host}]`).hostname === "[::1]";
}

/** Refuses a Unix socket with TLS, which no client of Vault's speaks there. Throws CliError. */
export function refuseTlsOnSocket(address: ListenAddress): void {
  if (!("path" in address)) return;
  throw new CliError("a Unix socket has no TLS: what is sent over it stays on this machine", [
    "leave out tls_cert_file and tls_key_file under [listener]; socket_mode says who may connect",
    "or listen on HOST:PORT",
  ]);
}

/** Refuses an address without TLS that others could reach, unless `allowed`. Throws CliError. */
export function refuseClearText(address: ListenAddress, allowed: boolean): void {
  if (allowed || "path" in address || isLoopback(address.host)) return;
  throw new CliError(
    `refusing to listen on ${address.host} without TLS: tokens and secrets would cross the network in the clear`,
    [
      "give it a certificate: tls_cert_file and tls_key_file under [listener]",
      "or listen on 127.0.0.1 and put a proxy that does TLS in front",
      "or, where the network itself is encrypted, say --unsafe-listen-without-tls (unsafe_without_tls = true under [listener])",
    ],
  );
}
