import type { Context } from "../context.ts";

/** `coffer operator seal`. */
export async function seal(context: Context): Promise<number> {
  await context.client.request("PUT", "sys/seal", { failure: "error sealing" });
  await context.printSuccess("Success! Vault is sealed.");
  return 0;
}
