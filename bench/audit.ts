/** What recording a request costs: a read of a small secret through the app, with an audit device over without. */
import { join } from "node:path";
import { openAuditDevice } from "../cli/audit/open.ts";
import type { AuditDevice } from "../core/audit/device.ts";
import { type Coffer, openCoffer } from "../core/coffer.ts";
import { plugins } from "../plugins/index.ts";
import { openMemory } from "../storage/memory.ts";
import { temporaryFolder } from "./folder.ts";
import { interleaved, type Measure } from "./rounds.ts";
import type { Figure } from "./table.ts";

const ROUNDS = 9;
const READS = 10_000;
const AT_ONCE = 32;
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** `parent`: a folder on a disk, in which the audit file is made and removed. */
export async function measureAudit(parent: string): Promise<Figure[]> {
  using folder = temporaryFolder(parent);
  const without = await openReads();
  const discarded = await openReads(await openAuditDevice("file", { file_path: "discard" }));
  const written = await openReads(await openAuditDevice("file", { file_path: join(folder.path, "audit.log") }));
  const common = { group: "audit", unit: "/s", operations: READS } as const;
  const figures: Figure[] = [
    {
      ...common,
      name: "reads with lines that are discarded, over reads without audit",
      ...(await interleaved(ROUNDS, without.measure, discarded.measure)),
    },
    {
      ...common,
      name: `reads with lines to a file, ${AT_ONCE} at once, over reads without audit`,
      ...(await interleaved(ROUNDS, without.measure, written.measure)),
    },
  ];
  for (const { coffer } of [without, discarded, written]) await coffer[Symbol.asyncDispose]();
  return figures;
}

/** A server in this process with one secret, and how many times in a second it is read. */
async function openReads(device?: AuditDevice): Promise<{ coffer: Coffer; measure: Measure }> {
  const declared = device && { path: "file/", type: "file", description: "", options: {}, local: false, device };
  const coffer = openCoffer({
    storage: openMemory(),
    plugins,
    log: SILENT,
    version: "0",
    ...(declared !== undefined && {
      audit: { declared: [declared], open: openAuditDevice, allowApi: false, allowPrefix: false },
    }),
  });
  const call = async (method: string, path: string, body: object | undefined, token = "") => {
    const init = {
      method,
      headers: { "x-vault-token": token },
      body: body === undefined ? null : JSON.stringify(body),
    };
    const response = await coffer.fetch(new Request(`http://bench/v1/${path}`, init));
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
    return response.text();
  };
  const made = await call("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
  const { keys, root_token: token } = JSON.parse(made) as { keys: string[]; root_token: string };
  await call("PUT", "sys/unseal", { key: keys[0] });
  await call("POST", "sys/mounts/kv", { type: "kv" }, token);
  await call("PUT", "kv/app", { user: "app", password: "correct horse battery staple", port: 5432 }, token);
  const client = async () => {
    for (let done = 0; done < READS / AT_ONCE; done += 1) await call("GET", "kv/app", undefined, token);
  };
  const measure = async () => {
    const start = performance.now();
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    return READS / ((performance.now() - start) / 1000);
  };
  return { coffer, measure };
}

function ignore(): void {}
