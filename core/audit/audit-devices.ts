import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { AuditDeviceInfo } from "../needs.ts";
import type { AuditDevice, AuditSettings, OpenAuditDevice } from "./device.ts";
import { LineFormat } from "./line.ts";
import { LiveDevice } from "./live-device.ts";
import { type LineOptions, parseLineOptions } from "./options.ts";
import { Recorder } from "./recorder.ts";
import type { AuditEntry } from "./table.ts";

const NONE: AuditSettings = {
  declared: [],
  open: () => Promise.reject(new Error("no audit device can be opened")),
  allowApi: false,
  allowPrefix: false,
};

/** A device of the configuration and how it writes lines. */
export interface Declared {
  readonly device: LiveDevice;
  readonly options: LineOptions;
}

/** The open devices of one server. They outlive a seal, so that its own answer can be recorded. */
export class AuditDevices implements AsyncDisposable {
  readonly settings: AuditSettings;
  readonly declared: readonly Declared[];
  /** Records while sealed: in the devices of the configuration, without bodies, for no salt can be had. */
  readonly whileSealed: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  /** Made over the API, by uuid. */
  readonly #made = new Map<string, LiveDevice>();

  /** Throws ApiError `invalid` when an option of a declared device makes no sense. */
  constructor(settings: AuditSettings = NONE, clock: Clock, log: Log) {
    this.settings = settings;
    this.clock = clock;
    this.log = log;
    this.declared = settings.declared.map(({ device, ...info }) => ({
      device: new LiveDevice(info, device, { declared: true, log }),
      options: parseLineOptions(info.options, settings.allowPrefix),
    }));
    const outputs = this.declared.map(({ device, options }) => ({
      device,
      format: new LineFormat(options, undefined),
    }));
    this.whileSealed = new Recorder(outputs, clock);
  }

  /** The device that an entry of the table stands for. One that cannot be opened counts as one that fails. */
  async made(entry: AuditEntry): Promise<LiveDevice> {
    return this.#made.get(entry.uuid) ?? this.keep(entry, await this.#openOrFail(entry));
  }

  /** Takes over a device that was opened. */
  keep({ uuid, path, type, description, options, local }: AuditEntry, device: AuditDevice): LiveDevice {
    const info: AuditDeviceInfo = { path, type, description, options: options ?? {}, local };
    const live = new LiveDevice(info, device, { declared: false, log: this.log });
    this.#made.set(uuid, live);
    return live;
  }

  /** Closes every device that was made over the API and that `entries` no longer name. */
  async closeAllBut(entries: readonly AuditEntry[]): Promise<void> {
    for (const [uuid, device] of this.#made) {
      if (entries.some((entry) => entry.uuid === uuid)) continue;
      this.#made.delete(uuid);
      await device.remove();
    }
  }

  /** False when one of them could not be, which the log tells. */
  async reopen(): Promise<boolean> {
    const devices = [...this.declared.map(({ device }) => device), ...this.#made.values()];
    const done = await Promise.all(devices.map((device) => device.reopen()));
    return done.every(Boolean);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAllBut([]);
  }

  async #openOrFail({ type, options }: AuditEntry): Promise<AuditDevice> {
    const open = () => this.settings.open(type, options ?? {});
    try {
      return await open();
    } catch (error) {
      return new Unopened(open, error);
    }
  }
}

/** A device that could not be opened: it takes no line until it is reopened. */
class Unopened implements AuditDevice {
  readonly #open: () => ReturnType<OpenAuditDevice>;
  readonly #cause: unknown;
  #device: AuditDevice | undefined;

  constructor(open: () => ReturnType<OpenAuditDevice>, cause: unknown) {
    this.#open = open;
    this.#cause = cause;
  }

  get keepsNothing(): boolean {
    return this.#device?.keepsNothing === true;
  }

  write(line: string): Promise<void> {
    return (
      this.#device?.write(line) ?? Promise.reject(new Error("the device could not be opened", { cause: this.#cause }))
    );
  }

  async reopen(): Promise<void> {
    if (this.#device === undefined) this.#device = await this.#open();
    else await this.#device.reopen();
  }

  async close(): Promise<void> {
    await this.#device?.close();
  }
}
