/** `coffer operator rotate-config get|set`. */

import { RotateConfig } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { columns } from "../table.ts";

const PATH = "sys/rotate/config";

export interface RotateConfigFlags {
  readonly maxOperations?: number;
  /** A duration as the server takes it: `4320h`, or seconds. */
  readonly interval?: string;
  readonly enabled?: "true" | "false";
}

export async function get(context: Context): Promise<number> {
  const failure = "error reading rotation settings";
  const { body } = await context.client.request("GET", PATH, { failure });
  const { max_operations, interval, enabled } = checkAnswer(RotateConfig, body, failure).data;
  const rows = [
    ["Max Operations", String(max_operations)],
    ["Interval", interval === "" || interval === 0 ? "none" : String(interval)],
    ["Enabled", String(enabled)],
  ];
  await context.print(columns(rows), { max_operations, interval, enabled });
  return 0;
}

export async function set(context: Context, flags: RotateConfigFlags): Promise<number> {
  const { maxOperations, interval, enabled } = flags;
  const change = {
    ...(maxOperations === undefined ? {} : { max_operations: maxOperations }),
    ...(interval === undefined ? {} : { interval }),
    ...(enabled === undefined ? {} : { enabled: enabled === "true" }),
  };
  if (Object.keys(change).length === 0) {
    throw new CliError("nothing to set", [
      "give --max-operations, --interval or --enabled",
      "`coffer operator rotate-config` shows the settings",
    ]);
  }
  await context.client.request("POST", PATH, {
    failure: "error changing rotation settings",
    body: JSON.stringify(change),
  });
  return get(context);
}
