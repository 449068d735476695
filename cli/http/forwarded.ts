import { BlockList, isIP } from "node:net";
import { plainAddress } from "../../core/access/ip-address.ts";
import type { HeaderValues } from "../../core/http/incoming.ts";

/** Proxies whose word on who their client is counts: single addresses and ranges (`10.0.0.0/8`, `fd00::/8`). */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** Throws an Error for what is no address and no range. */
  constructor(ranges: readonly string[]) {
    this.#isEmpty = ranges.length === 0;
    for (const range of ranges) {
      const [address = "", bits, ...more] = range.split("/");
      const family = isIP(address);
      const prefix = bits === undefined ? (family === 4 ? 32 : 128) : Number(bits);
      if (family === 0 || more.length > 0 || !isPrefix(bits, prefix, family))
        throw new Error("no address and no range");
      this.#list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
    }
  }

  /**
   * Who sent a request that came from `peer`, a socket's address: of what `X-Forwarded-For` says the last address that
   * is no trusted proxy's, if `peer` is one. What a client wrote before that is its own word and is not believed.
   */
  clientOf(peer: string, headers: HeaderValues): string {
    if (this.#isEmpty) return peer;
    let client = peer;
    const hops = headers.get("x-forwarded-for")?.split(",") ?? [];
    while (this.#trusts(client)) {
      const hop = addressOf(hops.pop()?.trim() ?? "");
      if (hop === undefined) return client;
      client = hop;
    }
    return client;
  }

  #trusts(address: string): boolean {
    return this.#list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }
}

/** Some proxies (IIS, Azure's) add the port, and brackets to IPv6. undefined: no address, with or without them. */
function addressOf(hop: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]*)\]|([\d.]*))(?::\d{1,5})?$/.exec(hop) ?? [];
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  const address = plainAddress(bracketed ?? dotted ?? hop);
  return isIP(address) === 0 ? undefined : address;
}

function isPrefix(text: string | undefined, bits: number, family: number): boolean {
  return text === undefined || (/^\d{1,3}$/.test(text) && bits <= (family === 4 ? 32 : 128));
}
