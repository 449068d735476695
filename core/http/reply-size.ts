import type { Reply } from "../plugin.ts";

/** About as long as the answer will be, at far less than it costs to write it. */
export function replySize(reply: Reply): number {
  if (reply.kind === "json") return reply.json.text.length;
  if (reply.kind === "text") return reply.text.length;
  if (reply.kind === "data") return sizeOf(reply.data);
  if (reply.kind === "auth") return sizeOf(reply.auth);
  return reply.kind === "bare" ? sizeOf(reply.body) : 0;
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length + 3;
  if (typeof value !== "object" || value === null) return 5;
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + sizeOf(each), 2);
  return Object.entries(value).reduce((sum, [name, each]) => sum + name.length + 4 + sizeOf(each), 2);
}
