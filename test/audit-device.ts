/** Audit devices for tests: in memory, with a failure at hand. */
import type { AuditDevice, AuditSettings, DeclaredDevice } from "../core/audit/device.ts";
import { invalid } from "../core/errors.ts";

/** One line, parsed, as far as tests look at it. */
export interface AuditLine {
  readonly time: string;
  readonly type: "request" | "response";
  readonly error?: string;
  readonly auth: Readonly<Record<string, unknown>>;
  readonly request: Readonly<Record<string, unknown>> & { readonly id: string; readonly path: string };
  readonly response?: Readonly<Record<string, unknown>>;
}

export interface TestDevice extends AuditDevice {
  readonly texts: string[];
  /** What was written so far. */
  lines(): AuditLine[];
  /** What was written since the last call of this. */
  fresh(): AuditLine[];
  /** Whether a line is to be refused. */
  failing: (line: AuditLine) => boolean;
  readonly reopened: number;
  readonly closed: boolean;
}

export function testDevice(): TestDevice {
  const texts: string[] = [];
  let seen = 0;
  const state = { reopened: 0, closed: false };
  // What stands before the object is the prefix.
  const parse = (text: string) => JSON.parse(text.slice(text.indexOf('{"time"'))) as AuditLine;
  return {
    texts,
    lines: () => texts.map(parse),
    fresh() {
      const unseen = texts.slice(seen);
      seen = texts.length;
      return unseen.map(parse);
    },
    failing: () => false,
    get reopened() {
      return state.reopened;
    },
    get closed() {
      return state.closed;
    },
    write(line) {
      if (state.closed) return Promise.reject(new Error("the device is closed"));
      if (this.failing(parse(line))) return Promise.reject(new Error("the device fails"));
      texts.push(line);
      return Promise.resolve();
    },
    reopen() {
      state.reopened += 1;
      return Promise.resolve();
    },
    close() {
      state.closed = true;
      return Promise.resolve();
    },
  };
}

/** Devices as a configuration declares them, each at the path that names it. */
export function declare(
  devices: Readonly<Record<string, AuditDevice>>,
  options: Readonly<Record<string, string>> = {},
): AuditSettings {
  const declared = Object.entries(devices).map(([name, device]): DeclaredDevice => ({
    path: `${name}/`,
    type: "test",
    description: "",
    options,
    local: false,
    device,
  }));
  return { declared, open: () => Promise.reject(invalid("no such type")), allowApi: false, allowPrefix: false };
}
