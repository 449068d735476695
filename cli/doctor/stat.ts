import { type Stats, statSync } from "node:fs";

/** undefined for what is not there, and for what whoever runs the doctor may not look at. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
