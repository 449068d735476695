import { DamagedEntry, type Driver, StoreError } from "../../storage/driver.ts";
import { aroundDriver } from "../around-driver.ts";
import { ApiError } from "../errors.ts";
import { otherwise } from "../soon.ts";

/**
 * The error for an entry that does not open. It names the entry, or, where its name may be a secret's, the mount that it
 * belongs to: errors are logged.
 */
export function damagedEntry(path: string, why: string): ApiError {
  const [folder, mount] = path.split("/");
  const place = folder === "logical" ? `an entry below logical/${mount}/` : `the entry at ${path}`;
  return new ApiError("damaged", `cannot open ${place}: ${why}`);
}

/** `driver`, whose reads fail with an error that tells the client what is damaged, and where. */
export function namingDamage(driver: Driver): Driver {
  return aroundDriver(driver, (operation, _key, act) =>
    operation === "get" || operation === "list" ? otherwise(act, tell) : act(),
  );
}

function tell(error: unknown): never {
  if (error instanceof DamagedEntry) throw damagedEntry(error.key, error.message);
  if (error instanceof StoreError) throw new ApiError("damaged", error.message);
  throw error;
}
