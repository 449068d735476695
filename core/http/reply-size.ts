import type { Reply } from "../plugin.ts";
import { MAX_STRINGS } from "./json-scan.ts";

/** What stands for each text in an audit line. */
const HASH = "hmac-sha256:".length + 64;
/** The shortest text in a JSON array: its quotes and comma. */
const SHORTEST = 3;

/**
 * How long a reply may be as an audit line, in which each text is a hash: the line of a list of short names is ten times as
 * long as its answer. That is not longer, but for what JSON writes as escapes. Found at far less than it costs to write it.
 */
export function replySize(reply: Reply): number {
  if (reply.kind === "json") {
    const { length } = reply.json.text;
    return length + HASH * Math.min(MAX_STRINGS, length / SHORTEST);
  }
  if (reply.kind === "text") return reply.text.length;
  if (reply.kind === "data") return sizeOf(reply.data);
  if (reply.kind === "auth") return sizeOf(reply.auth);
  return reply.kind === "bare" ? sizeOf(reply.body) : 0;
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return Math.max(value.length, HASH) + 3;
  if (typeof value !== "object" || value === null) return 6;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + sizeOf(each), 3);
  return Object.entries(value).reduce((sum, [name, each]) => sum + name.length + 3 + sizeOf(each), 3);
}
