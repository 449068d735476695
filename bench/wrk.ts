/** Load on a server: wrk, from the package of that name. Its requests come from a script in Lua. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const CONNECTIONS = 32;
/** Secrets that are read and written, one after the other. */
export const PATHS = 1000;
const VALUE_BYTES = 200;

export type Kind = "read" | "write" | "mixed";

export interface Load {
  readonly url: string;
  readonly token: string;
  readonly kind: Kind;
  readonly seconds: number;
}

export interface Speed {
  readonly requests: number;
  /** Requests in a second. */
  readonly rate: number;
  /** Milliseconds that 99 of 100 requests take at most. */
  readonly p99: number;
}

/** Puts the load on. `folder`: for the script. Rejects when a request failed. */
export async function wrk(folder: string, { url, token, kind, seconds }: Load): Promise<Speed> {
  const script = join(folder, "load.lua");
  writeFileSync(script, scriptOf(token, kind), { mode: 0o600 });
  const command = ["wrk", "--threads=1", `--connections=${CONNECTIONS}`, `--duration=${seconds}s`, "-s", script, url];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const output = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`wrk failed: ${output}`);
  const [requests = 0, microseconds = 0, p99 = 0, failed = 0] =
    /^figures (.*)$/m.exec(output)?.[1]?.split(" ").map(Number) ?? [];
  if (requests === 0 || failed > 0) throw new Error(`${failed} of ${requests} requests failed (${kind}, ${url})`);
  return { requests, rate: requests / (microseconds / 1e6), p99: p99 / 1000 };
}

/** Throws when wrk is not installed. */
export function requireWrk(): void {
  if (Bun.which("wrk") === null) throw new Error("wrk is not installed: apt-get install wrk");
}

/** `init` runs once, `request` for every request, `done` at the end. No value is written twice in a run. */
function scriptOf(token: string, kind: Kind): string {
  return `
wrk.headers["X-Vault-Token"] = ${JSON.stringify(token)}
local padding = string.rep("x", ${VALUE_BYTES})
local at = 0
local reads = {}

function init()
  for n = 1, ${PATHS} do reads[n] = wrk.format("GET", "/v1/kv/app-" .. n) end
end

local function read() return reads[at % ${PATHS} + 1] end

local function write()
  local path = "/v1/kv/app-" .. (at % ${PATHS} + 1)
  return wrk.format("PUT", path, nil, '{"user":"app","password":"' .. at .. padding .. '"}')
end

function request()
  at = at + 1
  return ${REQUEST[kind]}
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  print(string.format("figures %d %d %d %d", summary.requests, summary.duration, latency:percentile(99), failed))
end
`;
}

const REQUEST: Readonly<Record<Kind, string>> = {
  read: "read()",
  write: "write()",
  // Each secret by turns: the number of paths is even.
  mixed: `(at + math.floor(at / ${PATHS})) % 2 == 0 and read() or write()`,
};
