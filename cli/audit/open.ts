/** From the type and options of an audit device, as the configuration or `sys/audit/:path` has them, to the device. */

import type { AuditDevice, AuditOptions } from "../../core/audit/device.ts";
import { LINE_OPTIONS } from "../../core/audit/options.ts";
import { parseDuration } from "../../core/duration.ts";
import { invalid } from "../../core/errors.ts";
import { DISCARD, openFileDevice, openStdoutDevice } from "./file-device.ts";
import { openSocketDevice, type SocketAddress } from "./socket-device.ts";

const FILE_OPTIONS = [...LINE_OPTIONS, "file_path", "path", "mode"];
const SOCKET_OPTIONS = [...LINE_OPTIONS, "address", "socket_type", "write_timeout"];

/** Opens a device. Throws ApiError `invalid`, with Vault's texts but without the values that those quote. */
export async function openAuditDevice(type: string, options: AuditOptions): Promise<AuditDevice> {
  if (type === "file") return openFile(options);
  if (type === "socket") return openSocket(options);
  throw invalid(type === "" ? 'unknown backend type: ""' : 'unknown backend type: "type" may be "file" or "socket"');
}

async function openFile(options: AuditOptions): Promise<AuditDevice> {
  const path = options["file_path"] || options["path"] || "";
  if (path === "") throw invalid("file_path is required");
  refuseUnknown(options, FILE_OPTIONS);
  const mode = parseMode(options["mode"]);
  if (path === "stdout") return openStdoutDevice();
  if (path === "discard") return DISCARD;
  try {
    return await openFileDevice(path, mode);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw invalid(`sanity check failed; unable to open the file for writing: ${code}`);
  }
}

async function openSocket(options: AuditOptions): Promise<AuditDevice> {
  const { address = "", socket_type: kind = "tcp", write_timeout: timeout = "2s" } = options;
  if (address === "") throw invalid("address is required");
  refuseUnknown(options, SOCKET_OPTIONS);
  return openSocketDevice(parseAddress(address, kind), milliseconds(timeout));
}

function parseAddress(address: string, kind: string): SocketAddress {
  if (kind === "unix") return { unix: address };
  if (kind !== "tcp") throw invalid('"socket_type" may be "tcp" or "unix"');
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address) ?? [];
  const hostname = bracketed ?? plain;
  if (hostname === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw invalid('"address" is no host and port');
  return { hostname, port: Number(port) };
}

function milliseconds(text: string): number {
  let seconds: number;
  try {
    seconds = parseDuration(text);
  } catch {
    throw invalid('"write_timeout" is no duration');
  }
  if (seconds < 1 || seconds > 60) throw invalid('"write_timeout" must be between 1s and 60s');
  return seconds * 1000;
}

/** Octal, as `chmod` takes it. A file that the server can be made to write must never be one that can be run. */
function parseMode(text = "0600"): number {
  if (!/^[0-7]{1,4}$/.test(text)) throw invalid('strconv.ParseUint: parsing "mode": invalid syntax');
  const mode = Number.parseInt(text, 8);
  if ((mode & ~0o666) !== 0) throw invalid('"mode" may allow reading and writing only');
  return mode;
}

/** A misspelt option would silently not hold. */
function refuseUnknown(options: AuditOptions, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalid(`an option of this device is not known; known ones: ${known.join(", ")}`);
  }
}
