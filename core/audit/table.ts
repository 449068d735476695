/**
 * `core/audit`: the audit devices, in Vault's JSON. Those that were made over the API are opened by every node; of those
 * that a configuration declares the entry only keeps the uuid, under which the salt lies, so that the same value has the
 * same hash after a restart.
 */
import * as v from "valibot";
import type { Barrier } from "../barrier/barrier.ts";
import { randomBytes } from "../crypto.ts";
import { toHex, utf8, uuidOf } from "../encoding.ts";
import type { AuditDeviceInfo } from "../needs.ts";
import { parseStored, stringMap } from "../stored-json.ts";

export const AUDIT_PATH = "core/audit";

const entrySchema = v.object({
  table: v.literal("audit"),
  /** Ends in "/". */
  path: v.string(),
  type: v.string(),
  description: v.optional(v.string(), ""),
  uuid: v.string(),
  accessor: v.optional(v.string(), ""),
  options: v.optional(v.nullable(stringMap), null),
  local: v.optional(v.boolean(), false),
  /** A configuration's, not the API's. */
  declared: v.optional(v.boolean(), false),
});
const tableSchema = v.object({ type: v.literal("audit"), entries: v.nullable(v.array(entrySchema)) });

export type AuditEntry = Readonly<v.InferOutput<typeof entrySchema>>;

/** An entry for a new device, with a uuid of its own. */
export function newEntry({ path, type, description, options, local }: AuditDeviceInfo, declared: boolean): AuditEntry {
  const accessor = `audit_${type}_${toHex(randomBytes(4))}`;
  return {
    table: "audit",
    path,
    type,
    description,
    uuid: uuidOf(randomBytes(16)),
    accessor,
    options,
    local,
    declared,
  };
}

/** The entries, and the stored bytes for a later swap; none where no device was ever made. */
export async function readTable(
  barrier: Barrier,
): Promise<{ entries: readonly AuditEntry[]; stored: Uint8Array | undefined }> {
  const read = await barrier.read(AUDIT_PATH);
  if (read === undefined) return { entries: [], stored: undefined };
  const { entries } = parseStored(tableSchema, read.value, AUDIT_PATH, "table of audit devices");
  return { entries: entries ?? [], stored: read.stored };
}

/** Swaps in what `decide` makes of the table; asked again when another node was faster. Undefined: nothing to change. */
export async function changeTable(
  barrier: Barrier,
  decide: (entries: readonly AuditEntry[]) => readonly AuditEntry[] | undefined,
): Promise<void> {
  for (;;) {
    const { entries, stored } = await readTable(barrier);
    const changed = decide(entries);
    if (changed === undefined || (await barrier.swap(AUDIT_PATH, stored, encodeTable(changed))) !== undefined) return;
  }
}

function encodeTable(entries: readonly AuditEntry[]): Uint8Array {
  const stored = entries.map(({ declared, ...entry }) => ({
    ...entry,
    config: {},
    seal_wrap: false,
    namespace_id: "root",
    ...(declared && { declared }),
  }));
  return utf8(JSON.stringify({ type: "audit", entries: stored }));
}

function saltPath(uuid: string): string {
  return `audit/${uuid}/salt`;
}

/**
 * The salt of the device with this uuid, made when there is none: after a crash in the middle of making the device, and
 * of several nodes one makes it. Throws ApiError `unknown-outcome` when it cannot be stored.
 */
export async function saltOf(barrier: Barrier, uuid: string): Promise<Uint8Array> {
  for (;;) {
    const salt = await barrier.get(saltPath(uuid));
    if (salt !== undefined) return salt;
    await barrier.swap(saltPath(uuid), undefined, newSalt());
  }
}

export function newSalt(): Uint8Array {
  return utf8(uuidOf(randomBytes(16)));
}

export async function deleteSalt(barrier: Barrier, uuid: string): Promise<void> {
  await barrier.delete(saltPath(uuid));
}
