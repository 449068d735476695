import { ApiError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { AuditDeviceInfo } from "../needs.ts";
import type { AuditDevice } from "./device.ts";

/** A device in use. Says so in the log when it begins to fail and when it works again, not for every line. */
export class LiveDevice {
  readonly info: AuditDeviceInfo;
  /** In the configuration, not made over the API. */
  readonly declared: boolean;
  readonly #device: AuditDevice;
  readonly #log: Log;
  #failing = false;
  #removed = false;
  /** What the device gave for the last line, and what became of it. */
  #taken: Promise<void> | undefined;
  #written = Promise.resolve();

  constructor(info: AuditDeviceInfo, device: AuditDevice, { declared, log }: { declared: boolean; log: Log }) {
    this.info = info;
    this.declared = declared;
    this.#device = device;
    this.#log = log;
  }

  /** It was removed: nobody is to wait for a line of it any more. */
  get removed(): boolean {
    return this.#removed;
  }

  /** As {@link AuditDevice.keepsNothing}. */
  get keepsNothing(): boolean {
    return this.#device.keepsNothing === true;
  }

  /** Resolves when the line is there. Rejects with ApiError `audit-failed`. */
  write(line: string): Promise<void> {
    const taken = this.#device.write(line);
    // Lines that go out together have one promise.
    if (taken !== this.#taken) {
      this.#taken = taken;
      this.#written = taken.then(this.#works, this.#fails);
    }
    return this.#written;
  }

  readonly #works = (): void => {
    if (this.#failing) this.#log.info({ device: this.info.path }, "the audit device works again");
    this.#failing = false;
  };

  readonly #fails = (error: unknown): never => {
    if (!this.#failing) this.#log.error({ device: this.info.path, err: error }, "an audit device fails");
    this.#failing = true;
    throw new ApiError("audit-failed", undefined, { cause: error });
  };

  /** False when that failed, which the log tells: it goes on as it was. */
  async reopen(): Promise<boolean> {
    try {
      await this.#device.reopen();
      return true;
    } catch (error) {
      this.#log.error({ device: this.info.path, err: error }, "an audit device could not be reopened");
      return false;
    }
  }

  async remove(): Promise<void> {
    this.#removed = true;
    await this.#device.close();
  }
}
