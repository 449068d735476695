/** `coffer operator rotate`. */

import type { Context } from "../context.ts";
import { keyStatusTable, readKeyStatus } from "./operator-key-status.ts";

export async function rotate(context: Context): Promise<number> {
  await context.client.request("POST", "sys/rotate", { failure: "error rotating key" });
  const status = await readKeyStatus(context);
  await context.print(`Success! Rotated key\n\n${keyStatusTable(status)}`, status);
  return 0;
}
