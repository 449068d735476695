/** Which senders share one limit. */
import { plainAddress } from "./ip-address.ts";

/** No address is told: over a Unix socket, whose permissions say who may, and where the runtime does not know. */
const UNKNOWN = "unknown";

/**
 * What an address counts under: an IPv4 address for itself, also where it is mapped into IPv6; an IPv6 address by its
 * first 64 bits, for whoever has one address there has all of them. Senders without an address count together: one more
 * guess must not cost one more connection.
 */
export function bucketOf(address: string | undefined): string {
  if (address === undefined || address === "") return UNKNOWN;
  const plain = plainAddress(address);
  return plain.includes(":") ? networkOf(plain) : plain;
}

/** The first four groups, without leading zeros, so that the same network is the same text however it was written. */
function networkOf(address: string): string {
  const [before = "", after = ""] = (address.split("%")[0] ?? "").split("::");
  const left = groups(before);
  const right = groups(after);
  // "::" stands for as many groups of zeros as make it eight.
  const between = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return `${[...left, ...between, ...right].slice(0, 4).join(":")}::/64`;
}

function groups(text: string): string[] {
  if (text === "") return [];
  return text.split(":").map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""));
}
