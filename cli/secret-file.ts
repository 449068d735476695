import { readFile } from "node:fs/promises";
import { CliError, fileProblem } from "./errors.ts";

/**
 * The text of the file that `option` names. Throws CliError with `hint`, and without the path, also in a cause: somebody
 * may have given the secret in its place.
 */
export async function readSecretFile(path: string, option: string, hint: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CliError(`cannot read the file of ${option}: ${fileProblem(error)}`, hint);
  }
}
