/**
 * The mounts of an unsealed server: finds the engine that answers a path, and makes, tunes and removes mounts.
 *
 * Unmounting takes two changes of the table: the entry is tainted (it answers no more), its data is deleted, the entry
 * goes. What a crash cuts off in between is finished by the next unseal.
 */
import type { Barrier } from "../barrier/barrier.ts";
import { deleteBelow, openView } from "../barrier/view.ts";
import { Gate } from "../barrier/gate.ts";
import { ApiError, invalid } from "../errors.ts";
import { Router } from "../http/router.ts";
import { SYSTEM_LEASE_TTL } from "../lease.ts";
import type { Log } from "../log.ts";
import type { Mount, MountNeeds, MountSettings, NewMount } from "../needs.ts";
import type { Engine, Route } from "../plugin.ts";
import { soon, type Soon } from "../soon.ts";
import { leaseTtls, type MountEntry, type MountTable, MountTableStore, newMount, secondsOf } from "./mount-table.ts";

/** What belongs to the server itself: nothing is mounted at or below these. */
const PROTECTED = ["sys/", "auth/", "audit/", "identity/", "cubbyhole/"];

/** A mount with its engine's routes. */
export interface LiveMount {
  /** Follows the table: a tuned TTL counts from the next request on. */
  entry: MountEntry;
  readonly router: Router<Route>;
  /** Every request passes it, so that nothing is written any more when the mount's data is deleted. */
  readonly gate: Gate;
}

/** A mount, and what is left of a path below it. */
export interface FoundMount {
  readonly mount: LiveMount;
  readonly rest: string;
}

export class Mounts implements MountNeeds {
  readonly #barrier: Barrier;
  readonly #table: MountTableStore;
  readonly #engines: readonly Engine[];
  readonly #live = new Map<string, LiveMount>();
  /** Ids of mounts that were removed here: who had read the table before finds none of them. */
  readonly #removed = new Set<string>();

  private constructor(barrier: Barrier, engines: readonly Engine[]) {
    this.#barrier = barrier;
    this.#table = new MountTableStore(barrier);
    this.#engines = engines;
  }

  /**
   * Opens the mount table and finishes what a crash cut off; where the disk is full now, too, the next unseal will.
   */
  static async open(barrier: Barrier, engines: readonly Engine[], log: Log): Promise<Mounts> {
    const mounts = new Mounts(barrier, engines);
    for (const entry of (await mounts.#table.read()).values()) {
      if (!entry.tainted) continue;
      try {
        await mounts.#remove(entry);
      } catch (error) {
        if (!(error instanceof ApiError && error.code === "unknown-outcome")) throw error;
        log.warn({ err: error }, "the data of a mount that was disabled could not all be deleted yet");
      }
    }
    return mounts;
  }

  /** The mount that answers `path`. */
  find(path: string): Soon<FoundMount | undefined> {
    return soon(this.#table.read(), (table) => this.#findIn(table, path));
  }

  #findIn(table: MountTable, path: string): FoundMount | undefined {
    const entry = mountOf(table, path);
    if (entry === undefined || entry.tainted || this.#removed.has(entry.uuid)) return undefined;
    const mount = this.#mountFor(entry);
    return mount && { mount, rest: path.slice(entry.path.length) };
  }

  /** The mount with the engine that its entry names; undefined when there is no such engine here. */
  #mountFor(entry: MountEntry): LiveMount | undefined {
    const live = this.#live.get(entry.uuid);
    if (live?.entry === entry) return live;
    const engine = this.#engineOf(entry.type, entry.options ?? {});
    if (engine === undefined) return undefined;
    const mount = live ?? this.#bring(entry, engine);
    if (live === undefined) this.#live.set(entry.uuid, mount);
    mount.entry = entry;
    return mount;
  }

  /** The accessor of the server's own mount, where `sys` is. */
  systemAccessor(): Soon<string | undefined> {
    return soon(this.#table.read(), (table) => table.get("sys/")?.accessor);
  }

  async list(): Promise<readonly Mount[]> {
    return Array.from((await this.#table.read()).values(), mountInfo);
  }

  /** Throws ApiError `invalid` with Vault's texts for a path that is taken or protected, and for an unknown type. */
  async enable(mount: NewMount): Promise<void> {
    checkLeaseTtls(mount);
    if (isProtected(mount.path)) throw invalid(`cannot mount "${mount.path}"`);
    if (!this.#engines.some(({ type }) => type === mount.type)) {
      throw invalid('plugin not found in the catalog: "type" names no engine of this server');
    }
    if (this.#engineOf(mount.type, mount.options) === undefined) {
      throw invalid(`this version of "${mount.type}" is not supported`);
    }
    const { path, type, description = "", local, sealWrap, options, defaultLeaseTtl, maxLeaseTtl } = mount;
    const made = newMount({
      path,
      type,
      description,
      local,
      seal_wrap: sealWrap,
      options,
      defaultLeaseTtl,
      maxLeaseTtl,
    });
    await this.#table.change((table) => {
      for (const taken of table.keys()) {
        if (taken.startsWith(path) || path.startsWith(taken)) throw invalid(`path is already in use at ${taken}`);
      }
      return [...table.values(), made];
    });
  }

  async tune(path: string, settings: MountSettings): Promise<void> {
    const { description, defaultLeaseTtl, maxLeaseTtl } = settings;
    if (isProtected(path) && (defaultLeaseTtl !== undefined || maxLeaseTtl !== undefined)) {
      const first = defaultLeaseTtl === undefined ? "max_lease_ttl" : "default_lease_ttl";
      throw invalid(`cannot tune parameter ${first} of ${path}`);
    }
    await this.#table.change((table) => {
      const entry = table.get(path);
      if (entry === undefined || entry.tainted) throw invalid(`tune of path "${path}" failed: no mount entry found`);
      const was = secondsOf(entry);
      const now = {
        defaultLeaseTtl: defaultLeaseTtl ?? was.defaultLeaseTtl,
        maxLeaseTtl: maxLeaseTtl ?? was.maxLeaseTtl,
      };
      checkTunedTtls(now);
      const tuned = {
        ...entry,
        description: description ?? entry.description,
        config: { ...entry.config, ...leaseTtls(now.defaultLeaseTtl, now.maxLeaseTtl) },
      };
      return replaced(table, entry, tuned);
    });
  }

  async disable(path: string): Promise<void> {
    if (isProtected(path)) throw invalid(`cannot unmount "${path}"`);
    let removed: MountEntry | undefined;
    await this.#table.change((table) => {
      removed = table.get(path);
      return removed === undefined ? undefined : replaced(table, removed, { ...removed, tainted: true });
    });
    if (removed !== undefined) await this.#remove(removed);
  }

  async #remove({ uuid }: MountEntry): Promise<void> {
    this.#removed.add(uuid);
    const live = this.#live.get(uuid);
    this.#live.delete(uuid);
    await live?.gate.close();
    await deleteBelow(this.#barrier, `logical/${uuid}/`);
    await this.#table.change((table) => [...table.values()].filter((entry) => entry.uuid !== uuid));
  }

  #engineOf(type: string, options: Readonly<Record<string, string>>): Engine | undefined {
    const ofType = this.#engines.filter((engine) => engine.type === type);
    const version = options["version"];
    return version === undefined ? ofType[0] : ofType.find((engine) => engine.version === version);
  }

  #bring(entry: MountEntry, engine: Engine): LiveMount {
    const gate = new Gate(() => new ApiError("no-route", `the mount at ${entry.path} was removed`));
    const mount: LiveMount = { entry, router: new Router<Route>(), gate };
    const routes = engine.mount({
      view: openView(this.#barrier, `logical/${entry.uuid}/`),
      defaultLeaseTtl: () => secondsOf(mount.entry).defaultLeaseTtl || SYSTEM_LEASE_TTL,
    });
    for (const route of routes) mount.router.add(route.path, route.operation, route);
    return mount;
  }
}

/** Mounts do not nest, so the first prefix of `path` that is one is the only one. */
function mountOf(table: MountTable, path: string): MountEntry | undefined {
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
    const entry = table.get(path.slice(0, slash + 1));
    if (entry !== undefined) return entry;
  }
  return path.endsWith("/") ? undefined : table.get(`${path}/`);
}

function isProtected(path: string): boolean {
  return PROTECTED.some((prefix) => path.startsWith(prefix));
}

function replaced(table: MountTable, was: MountEntry, now: MountEntry): MountEntry[] {
  return [...table.values()].map((entry) => (entry.uuid === was.uuid ? now : entry));
}

function checkLeaseTtls({ defaultLeaseTtl = 0, maxLeaseTtl = 0 }: MountSettings): void {
  if (maxLeaseTtl > 0 && defaultLeaseTtl > maxLeaseTtl) {
    throw invalid("given default lease TTL greater than given max lease TTL");
  }
  if (maxLeaseTtl === 0 && defaultLeaseTtl > SYSTEM_LEASE_TTL) {
    throw invalid(`given default lease TTL greater than system max lease TTL of ${SYSTEM_LEASE_TTL}`);
  }
}

function checkTunedTtls({ defaultLeaseTtl, maxLeaseTtl }: { defaultLeaseTtl: number; maxLeaseTtl: number }): void {
  const max = maxLeaseTtl || SYSTEM_LEASE_TTL;
  if (defaultLeaseTtl > max) {
    throw invalid(`backend max lease TTL of ${max} would be less than backend default lease TTL of ${defaultLeaseTtl}`);
  }
}

function mountInfo(entry: MountEntry): Mount {
  return {
    path: entry.path,
    type: entry.type,
    description: entry.description,
    accessor: entry.accessor,
    uuid: entry.uuid,
    local: entry.local,
    sealWrap: entry.seal_wrap,
    ...secondsOf(entry),
    options: entry.options,
    builtIn: isProtected(entry.path),
  };
}
