import type { AuditDeviceInfo } from "../needs.ts";

/** Where one audit device writes to: a file, a socket. Who opens the server provides it; the engine formats lines. */
export interface AuditDevice {
  /** No line can be had from it again. Such a device records for nobody as long as there is another. */
  readonly keepsNothing?: boolean;
  /**
   * Hands `line`, which ends in a line break, over: when this resolves the line is out of the hands of this process, in
   * the order of the calls; lines that go out together may have one promise. Rejects when it could not be, within a
   * bounded time; it may have been written all the same.
   */
  write(line: string): Promise<void>;
  /**
   * Goes on in what now has the device's name: the file was renamed. When it rejects the device goes on as it was. Takes
   * a bounded time, whatever is stuck.
   */
  reopen(): Promise<void>;
  /** Lets go of it, when all that was handed over has been written. */
  close(): Promise<void>;
}

export type AuditOptions = AuditDeviceInfo["options"];

/** Opens a device of a type (`file`, `socket`). Throws ApiError `invalid` for options that make no sense. */
export type OpenAuditDevice = (type: string, options: AuditOptions) => Promise<AuditDevice>;

/** A device of the configuration: it records while sealed too, and cannot be removed over the API. */
export interface DeclaredDevice extends AuditDeviceInfo {
  readonly device: AuditDevice;
}

/** What the configuration says about audit. */
export interface AuditSettings {
  readonly declared: readonly DeclaredDevice[];
  readonly open: OpenAuditDevice;
  /** Whether `sys/audit/:path` makes and removes devices. Who may do that may write to any file that the server can. */
  readonly allowApi: boolean;
  /** Whether a device may put a `prefix` before its lines: with one, a line need not be JSON. */
  readonly allowPrefix: boolean;
}
