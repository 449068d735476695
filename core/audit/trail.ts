/**
 * The audit trail of an unsealed server: the devices of the configuration and those that were made over the API, each
 * with its own salt from the barrier.
 */
import type { Barrier } from "../barrier/barrier.ts";
import { randomBytes } from "../crypto.ts";
import { sameBytes, uuidOf } from "../encoding.ts";
import { ApiError, invalid } from "../errors.ts";
import { isoTime } from "../iso-time.ts";
import type { AuditDeviceInfo, AuditNeeds } from "../needs.ts";
import type { Soon } from "../soon.ts";
import type { AuditDevices } from "./audit-devices.ts";
import type { AuditDevice } from "./device.ts";
import { type Hash, hashWith } from "./leaves.ts";
import { LineFormat } from "./line.ts";
import type { LiveDevice } from "./live-device.ts";
import { type LineOptions, parseLineOptions } from "./options.ts";
import { type Output, Recorder } from "./recorder.ts";
import { type AuditEntry, changeTable, deleteSalt, newEntry, newSalt, readTable, saltOf } from "./table.ts";

interface SaltedOutput extends Output {
  readonly hash: Hash;
}

export class AuditTrail implements AuditNeeds {
  readonly #barrier: Barrier;
  readonly #devices: AuditDevices;
  /** By uuid: what lines of a device need is prepared once. */
  readonly #outputs = new Map<string, SaltedOutput>();
  #recorder: Recorder;
  /** The table that the recorder follows, as it is stored. */
  #stored: Uint8Array | undefined;
  /** Looks at the table go one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(barrier: Barrier, devices: AuditDevices) {
    this.#barrier = barrier;
    this.#devices = devices;
    this.#recorder = new Recorder([], devices.clock);
  }

  static async open(barrier: Barrier, devices: AuditDevices): Promise<AuditTrail> {
    const trail = new AuditTrail(barrier, devices);
    const infos = devices.declared.map(({ device }) => device.info);
    await trail.#unlessFull(() => changeTable(barrier, (entries) => withDeclared(entries, infos)), undefined);
    await trail.#follow();
    return trail;
  }

  /**
   * What records a request that begins now. Where other nodes may make devices too, the table is asked; a node whose
   * configuration does not allow it is not expected to have such neighbours, and looks when it is unsealed.
   */
  current(): Soon<Recorder> {
    const isAlone = this.#barrier.exclusive || !this.#devices.settings.allowApi;
    return isAlone ? this.#recorder : this.#inTurn(() => this.#refresh());
  }

  async list(): Promise<readonly AuditDeviceInfo[]> {
    return (await this.current()).outputs.map(({ device }) => device.info);
  }

  async enable(info: AuditDeviceInfo): Promise<void> {
    const { allowApi, allowPrefix, open } = this.#devices.settings;
    if (!allowApi) throw byConfigurationOnly("enable");
    const { outputs } = await this.current();
    refuseTaken(
      info.path,
      outputs.map(({ device }) => device.info),
    );
    parseLineOptions(info.options, allowPrefix);
    const device = await open(info.type, info.options);
    try {
      await this.#test(device);
      await this.#inTurn(() => this.#add(newEntry(info, false), device));
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  async disable(path: string): Promise<void> {
    const { declared, settings } = this.#devices;
    if (declared.some(({ device }) => device.info.path === path))
      throw invalid("cannot disable configuration-managed audit device");
    let removed: AuditEntry | undefined;
    await changeTable(this.#barrier, (entries) => {
      removed = entries.find((entry) => entry.path === path);
      if (removed === undefined) return undefined;
      if (!settings.allowApi) throw byConfigurationOnly("disable");
      return entries.filter((entry) => entry.path !== path);
    });
    if (removed === undefined) return;
    await this.#inTurn(() => this.#follow());
    await deleteSalt(this.#barrier, removed.uuid);
  }

  async hash(path: string, input: string): Promise<string> {
    await this.current();
    const output = [...this.#outputs.values()].find(({ device }) => device.info.path === path);
    if (output === undefined) throw invalid(`unknown audit backend "${path}"`);
    return output.hash(input);
  }

  async #add(made: AuditEntry, device: AuditDevice): Promise<void> {
    await changeTable(this.#barrier, (entries) => {
      refuseTaken(made.path, entries);
      return [...entries, made];
    });
    this.#devices.keep(made, device);
    await this.#follow();
  }

  async #refresh(): Promise<Recorder> {
    const { stored } = await readTable(this.#barrier);
    const isSame = stored === this.#stored || (stored && this.#stored && sameBytes(stored, this.#stored)) === true;
    if (!isSame) await this.#follow();
    return this.#recorder;
  }

  /** Makes the recorder agree with the configuration and the table. */
  async #follow(): Promise<void> {
    const { entries, stored } = await readTable(this.#barrier);
    const { declared, clock } = this.#devices;
    const outputs: SaltedOutput[] = [];
    for (const { device, options } of declared) {
      const entry = entries.find(({ path }) => path === device.info.path) ?? newEntry(device.info, true);
      outputs.push(await this.#output(entry, device, options));
    }
    for (const entry of entries) {
      if (entry.declared) continue;
      // A prefix that was allowed when the device was made stays.
      const options = parseLineOptions(entry.options ?? {}, true);
      outputs.push(await this.#output(entry, await this.#devices.made(entry), options));
    }
    this.#recorder = new Recorder(outputs, clock);
    this.#stored = stored;
    for (const [uuid, output] of this.#outputs) if (!outputs.includes(output)) this.#outputs.delete(uuid);
    await this.#devices.closeAllBut(entries);
  }

  async #output(entry: AuditEntry, device: LiveDevice, options: LineOptions): Promise<SaltedOutput> {
    const known = this.#outputs.get(entry.uuid);
    if (known?.device === device) return known;
    const hash = hashWith(await this.#unlessFull(() => saltOf(this.#barrier, entry.uuid), newSalt()));
    const output = { device, format: new LineFormat(options, hash), hash };
    this.#outputs.set(entry.uuid, output);
    return output;
  }

  /**
   * What cannot be stored because the disk is full must not keep the store from being read, nor requests from being
   * recorded: until the next unseal there is a salt for this time only.
   */
  async #unlessFull<T>(act: () => Promise<T>, instead: T): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "unknown-outcome")) throw error;
      this.#devices.log.warn(
        { err: error },
        "the salt of an audit device could not be stored: hashes hold until the seal",
      );
      return instead;
    }
  }

  /** As Vault: a device that cannot take a line now is not made. */
  async #test(device: AuditDevice): Promise<void> {
    const id = uuidOf(randomBytes(16));
    const request = { id, operation: "update", namespace: { id: "root" }, path: "sys/audit/test" };
    const time = isoTime(this.#devices.clock.now());
    try {
      await device.write(`${JSON.stringify({ time, type: "request", auth: { token_type: "default" }, request })}\n`);
    } catch {
      throw invalid("audit backend failed test message: the device did not take it");
    }
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act, act);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** The table with an entry for each declared device; undefined when it is as it should be. */
function withDeclared(
  entries: readonly AuditEntry[],
  infos: readonly AuditDeviceInfo[],
): readonly AuditEntry[] | undefined {
  const changed = new Map(entries.map((entry) => [entry.path, entry]));
  for (const info of infos) {
    const there = changed.get(info.path);
    // The path may have been the API's before: the configuration comes first.
    const entry = { ...(there ?? newEntry(info, true)), ...info, declared: true };
    if (there === undefined || JSON.stringify(entry) !== JSON.stringify(there)) changed.set(info.path, entry);
  }
  const isSame = changed.size === entries.length && entries.every((entry) => changed.get(entry.path) === entry);
  return isSame ? undefined : [...changed.values()];
}

function refuseTaken(path: string, devices: Iterable<{ readonly path: string }>): void {
  for (const taken of devices) {
    if (taken.path.startsWith(path) || path.startsWith(taken.path)) throw invalid("path already in use");
  }
}

function byConfigurationOnly(what: "enable" | "disable"): Error {
  return invalid(`cannot ${what} audit device via API; use declarative, config-based audit device management instead`);
}
