/**
 * An HTTP/1.1 client that sends exactly what it is told: any verb, any bytes as a path. Bun's fetch makes LIST a GET and
 * cleans paths, so it cannot say what these tests want to say.
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface RawRequest {
  readonly method: string;
  /** As it stands in the request line. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** With a Content-Length, unless the headers say something else about the body. */
  readonly body?: string | Uint8Array | undefined;
}

export interface Answer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** How a server is reached: a port of 127.0.0.1, with TLS where there is an authority (PEM), or a Unix socket. */
export type Way = { readonly port: number; readonly ca?: string | undefined } | { readonly path: string };

export function connectTo(way: Way): Socket {
  if ("path" in way) return connect(way.path);
  const { port, ca } = way;
  return ca === undefined ? connect(port, "127.0.0.1") : connectTls({ host: "127.0.0.1", port, ca });
}

/** Sends one request on a connection of its own; undefined when the server closes it without an answer. */
export function exchange(way: Way, { method, path, headers = {}, body = "" }: RawRequest): Promise<Answer | undefined> {
  const payload = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const own = payload.length === 0 || names.some((name) => /^(?:content-length|transfer-encoding)$/.test(name));
  const length: Record<string, string> = own ? {} : { "content-length": String(payload.length) };
  const fields = { host: "127.0.0.1", connection: "close", ...length, ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const socket = connectTo(way);
    socket.on("data", (bytes) => chunks.push(bytes as Uint8Array));
    socket.on("close", () => resolve(parseAnswer(new TextDecoder().decode(Buffer.concat(chunks)))));
    // Who is refused before the body is read may find the connection cut: what was answered until then counts.
    socket.on("error", (error) => (chunks.length === 0 && !isCut(error) ? reject(error) : undefined));
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    if (payload.length > 0) socket.write(payload);
  });
}

function isCut(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

function parseAnswer(text: string): Answer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(statusLine.split(" ")[1]), headers, text: text.slice(end + 4) };
}
