/** A path without spaces around it and slashes at its ends: people write `secret/`, `/secret` and `secret`. */
export function trimSlashes(path: string): string {
  return path.trim().replace(/^\/+|\/+$/g, "");
}
