/** Which senders share one limit. */

/** No address is told: over a Unix socket, whose permissions say who may, and where the runtime does not know. */
const UNKNOWN = "unknown";

/**
 * What an address counts under: an IPv4 address for itself, also where it is mapped into IPv6; an IPv6 address by its
 * first 64 bits, for whoever has one address there has all of them. Senders without an address count together: one more
 * guess must not cost one more connection.
 */
export function bucketOf(address: string | undefined): string {
  if (address === undefined || address === "") return UNKNOWN;
  if (!address.includes(":")) return address;
  return mappedIpv4(address) ?? networkOf(address);
}

/** Of `::ffff:10.0.0.2` and `::ffff:0a00:0002` the IPv4 address. */
function mappedIpv4(address: string): string | undefined {
  const [, dotted, high = "", low = ""] =
    /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address) ?? [];
  if (dotted !== undefined || high === "") return dotted;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join(".");
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
