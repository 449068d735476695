/**
 * The mount table: which engine answers below which path. One entry at `core/mounts`, in Vault's JSON, so that paths
 * are unique: every change is a compare-and-swap on it. Durations are stored in nanoseconds, as Vault does. Fields that
 * Vault or a newer Coffer wrote and this one does not know stay as they are.
 */
import * as v from "valibot";
import type { Barrier } from "../barrier/barrier.ts";
import { CachedEntries } from "../barrier/cached-entry.ts";
import { randomBytes } from "../crypto.ts";
import { toHex, utf8, uuidOf } from "../encoding.ts";
import { ApiError } from "../errors.ts";
import { soon, type Soon } from "../soon.ts";
import { parseStored, stringMap } from "../stored-json.ts";

export const MOUNTS_PATH = "core/mounts";
const NANOSECONDS = 1_000_000_000;

const nanoseconds = v.optional(v.pipe(v.number(), v.minValue(0)), 0);
const mountEntrySchema = v.looseObject({
  table: v.literal("mounts"),
  /** Ends in "/". */
  path: v.string(),
  type: v.string(),
  description: v.string(),
  uuid: v.string(),
  accessor: v.string(),
  config: v.looseObject({ default_lease_ttl: nanoseconds, max_lease_ttl: nanoseconds }),
  options: v.nullable(stringMap),
  local: v.boolean(),
  seal_wrap: v.boolean(),
  /** Being unmounted: it answers no more, and its data is being deleted. */
  tainted: v.optional(v.boolean(), false),
});
const tableSchema = v.looseObject({ type: v.literal("mounts"), entries: v.array(mountEntrySchema) });

export type MountEntry = Readonly<v.InferOutput<typeof mountEntrySchema>>;

/** The mounts, by their path. */
export type MountTable = ReadonlyMap<string, MountEntry>;

interface StoredTable {
  readonly mounts: MountTable;
  /** What else the entry holds. */
  readonly others: Readonly<Record<string, unknown>>;
}

export class MountTableStore {
  readonly #entries: CachedEntries<StoredTable>;

  constructor(barrier: Barrier) {
    this.#entries = new CachedEntries(barrier, decodeTable, 1);
  }

  read(): Soon<MountTable> {
    return soon(this.#entries.read(MOUNTS_PATH), (held) => there(held).value.mounts);
  }

  /**
   * Swaps in what `decide` makes of the table; asked again when another node was faster. Undefined: nothing to change.
   */
  async change(decide: (table: MountTable) => Iterable<MountEntry> | undefined): Promise<void> {
    for (;;) {
      const { value, stored } = there(await this.#entries.read(MOUNTS_PATH));
      const changed = decide(value.mounts);
      if (changed === undefined) return;
      if (await this.#entries.swap(MOUNTS_PATH, stored, encodeTable(changed, value.others))) return;
    }
  }
}

function there<T>(entry: T | undefined): T {
  if (entry === undefined) throw new ApiError("damaged", `the mount table at ${MOUNTS_PATH} is missing`);
  return entry;
}

/** A mount as it is made: fresh uuid and accessor, TTLs of the system. */
export function newMount(
  given: Pick<MountEntry, "path" | "type" | "description" | "options" | "local" | "seal_wrap"> & {
    readonly defaultLeaseTtl?: number | undefined;
    readonly maxLeaseTtl?: number | undefined;
  },
): MountEntry {
  const { defaultLeaseTtl, maxLeaseTtl, ...rest } = given;
  return {
    table: "mounts",
    ...rest,
    uuid: uuidOf(randomBytes(16)),
    accessor: `${given.type}_${toHex(randomBytes(4))}`,
    config: leaseTtls(defaultLeaseTtl, maxLeaseTtl),
    tainted: false,
  };
}

/** The stored form of lease TTLs given in seconds. */
export function leaseTtls(defaultLeaseTtl = 0, maxLeaseTtl = 0): MountEntry["config"] {
  return {
    default_lease_ttl: defaultLeaseTtl * NANOSECONDS,
    max_lease_ttl: maxLeaseTtl * NANOSECONDS,
  };
}

/** Lease TTLs in seconds. */
export function secondsOf({ config }: MountEntry): {
  defaultLeaseTtl: number;
  maxLeaseTtl: number;
} {
  return {
    defaultLeaseTtl: Math.floor(config.default_lease_ttl / NANOSECONDS),
    maxLeaseTtl: Math.floor(config.max_lease_ttl / NANOSECONDS),
  };
}

/** The table of a new coffer: the system's own mount. */
export function firstTable(): Uint8Array {
  const system = newMount({
    path: "sys/",
    type: "system",
    description: "system endpoints used for control, policy and debugging",
    options: null,
    local: false,
    seal_wrap: true,
  });
  return encodeTable([system], {});
}

function encodeTable(mounts: Iterable<MountEntry>, others: StoredTable["others"]): Uint8Array {
  const entries = Array.from(mounts, ({ tainted, config, ...entry }) => {
    const { default_lease_ttl, max_lease_ttl, ...rest } = config;
    return {
      namespace_id: "root",
      ...entry,
      config: {
        ...(default_lease_ttl > 0 && { default_lease_ttl }),
        ...(max_lease_ttl > 0 && { max_lease_ttl }),
        ...rest,
      },
      ...(tainted && { tainted }),
    };
  });
  return utf8(JSON.stringify({ type: "mounts", entries, ...others }));
}

function decodeTable(value: Uint8Array): StoredTable {
  const { type: _mounts, entries, ...others } = parseStored(tableSchema, value, MOUNTS_PATH, "mount table");
  return { mounts: new Map(entries.map((entry) => [entry.path, entry])), others };
}
