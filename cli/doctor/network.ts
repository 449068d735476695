/** Who can reach the server, and whether what they send is encrypted on the way. */
import { isLoopback } from "../listen-address.ts";
import { advise, type Check, mustDo, ok } from "./check.ts";
import type { Machine, Subject } from "./machine.ts";

export interface Configured {
  /** As the configuration has it: HOST:PORT, or unix://PATH. */
  readonly address: string;
  readonly hasTls: boolean;
  /** Somebody has said that the network itself is encrypted. */
  readonly isAllowedInClear: boolean;
}

const ADVICE = "listen on 127.0.0.1 with a proxy that does TLS in front, or configure a certificate";

/** One check for each address: those that the server listens on where there is one, else the configured one. */
export function checkListeners(machine: Machine, subject: Subject, configured: Configured): Check[] {
  const open = subject.isServer ? listening(machine, subject.proc) : [];
  if (open.length > 0) return open.map((address) => checkListener(address, configured));
  return [checkListener(configured.address, configured)];
}

function checkListener(address: string, { hasTls, isAllowedInClear }: Configured): Check {
  if (address.startsWith("unix:")) return ok("listener", `${address}: this machine only`);
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
  if (isLoopback(host)) return ok("listener", `${address}: this machine only`);
  if (hasTls) return ok("listener", `${address}: over TLS`);
  const found = `${address} can be reached from other machines without TLS`;
  if (!isAllowedInClear) return mustDo("listener", found, ADVICE);
  return advise("listener", `${found}, as the configuration allows`, "see to it that the network itself is encrypted");
}

/** The TCP addresses on which the process accepts connections. */
function listening(machine: Machine, proc: string): string[] {
  const own = new Set<string>();
  for (const fd of machine.list(`${proc}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(machine.link(`${proc}/fd/${fd}`) ?? "")?.[1];
    if (inode !== undefined) own.add(inode);
  }
  const found = ["tcp", "tcp6"].flatMap((family) =>
    (machine.read(`${proc}/net/${family}`) ?? "").split("\n").flatMap((line) => {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      return state === LISTENING && own.has(inode) ? [addressOf(local)] : [];
    }),
  );
  return [...new Set(found)];
}

const LISTENING = "0A";

/** The kernel prints an address as words of four bytes, each the other way round. */
function addressOf(local: string): string {
  const [host = "", port = ""] = local.split(":");
  const bytes = (host.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed());
  const number = Number.parseInt(port, 16);
  if (bytes.length === 4) return `${bytes.map((byte) => Number.parseInt(byte, 16)).join(".")}:${number}`;
  const groups = bytes.join("").match(/.{4}/g) ?? [];
  return `${new URL(`http://[${groups.join(":")}]`).hostname}:${number}`;
}
