/** Where the client finds its server: a URL, or a Unix socket on this machine. */

import { CliError } from "./errors.ts";
import type { Setting } from "./environment.ts";
import { isLoopback } from "./listen-address.ts";

export interface ServerAddress {
  /** What paths are appended to; it ends in a slash. A socket's is of no host that exists. */
  readonly base: URL;
  /** The path of the Unix socket; undefined: TCP. */
  readonly socket: string | undefined;
  /** What messages call the server. */
  readonly name: string;
  /** Whether the way to it stays on this machine. */
  readonly isLocal: boolean;
}

const FORM = "give it as https://HOST:PORT, http://HOST:PORT or unix:///PATH";
const SOCKET = "unix://";

/** Parses `http://127.0.0.1:8200`, `https://coffer.example/prefix` or `unix:///run/coffer.sock`. Throws CliError. */
export function parseServerAddress({ value, source }: Setting): ServerAddress {
  if (value.startsWith(SOCKET)) {
    // A path is bytes to the system: nothing in it is decoded.
    const socket = value.slice(SOCKET.length);
    if (!socket.startsWith("/") || socket.includes("\0")) {
      throw new CliError(`the address of ${source} names no socket by its whole path`, FORM);
    }
    return { base: new URL("http://localhost/"), socket, name: value, isLocal: true };
  }
  const base = URL.parse(value);
  if (base === null || (base.protocol !== "http:" && base.protocol !== "https:")) {
    throw new CliError(`the address of ${source} is not a URL that begins with http://, https:// or unix://`, FORM);
  }
  if (base.username !== "" || base.password !== "" || base.search !== "" || base.hash !== "") {
    throw new CliError(`the address of ${source} holds more than a host, a port and a path`, FORM);
  }
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return {
    base,
    socket: undefined,
    name: base.origin,
    isLocal: isLoopback(base.hostname.replace(/^\[(.*)\]$/, "$1")),
  };
}
