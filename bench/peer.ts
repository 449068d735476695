/** The load of the HTTP group beside OpenBao, which speaks the same API: its storage is raft, ours the file. */
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compare } from "./compare.ts";
import { temporaryFolder } from "./folder.ts";
import { freePort } from "./free-port.ts";
import { inTurns } from "./rounds.ts";
import { fill, logFile, startCoffer, type Subject } from "./subject.ts";
import type { Figure } from "./table.ts";
import { requireWrk, type Speed, wrk } from "./wrk.ts";

const ROUNDS = 11;
const SECONDS = 2;
const START_MS = 10_000;

/** `parent`: a folder on a disk. `executable`: OpenBao's. */
export async function measurePeer(parent: string, executable: string): Promise<Figure[]> {
  requireWrk();
  using folder = temporaryFolder(parent);
  await using ours = await startCoffer(folder.path, { name: "coffer", storage: "file", audit: false });
  await using theirs = await startOpenBao(folder.path, executable);
  const measures: Record<string, () => Promise<Speed>> = {};
  const kinds = ["read", "write"] as const;
  for (const kind of kinds) {
    for (const [name, { url, token }] of Object.entries({ Coffer: ours, OpenBao: theirs })) {
      measures[`${kind}, ${name}`] = () => wrk(folder.path, { url, token, kind, seconds: SECONDS });
    }
  }
  const found = await inTurns(ROUNDS, measures);
  return kinds.flatMap((kind) =>
    compare(found, { group: "peer", subject: `${kind}, Coffer`, baseline: `${kind}, OpenBao`, rate: 4, p99: 0.5 }),
  );
}

/** OpenBao, unsealed, with the same secrets. */
async function startOpenBao(folder: string, executable: string): Promise<Subject> {
  const [port, clusterPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const store = join(folder, "raft");
  mkdirSync(store);
  const config = join(folder, "openbao.hcl");
  writeFileSync(
    config,
    `storage "raft" {
  path = ${JSON.stringify(store)}
  node_id = "bench"
}
listener "tcp" {
  address = "127.0.0.1:${port}"
  tls_disable = true
}
api_addr = "${url}"
cluster_addr = "http://127.0.0.1:${clusterPort}"
`,
  );
  const log = openSync(logFile(folder, "openbao"), "a", 0o600);
  const child = Bun.spawn([executable, "server", `-config=${config}`], {
    env: { HOME: folder, PATH: process.env["PATH"] ?? "" },
    cwd: folder,
    stdout: log,
    stderr: log,
  });
  closeSync(log);
  await answering(url);
  return {
    url,
    token: await fill(url),
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

/** Resolves when a server answers there; rejects when none does for ten seconds. */
async function answering(url: string): Promise<void> {
  const late = performance.now() + START_MS;
  for (;;) {
    try {
      await fetch(`${url}/v1/sys/health`);
      return;
    } catch (error) {
      if (performance.now() > late) throw error;
      await Bun.sleep(50);
    }
  }
}
