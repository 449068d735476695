/** The client's token: never from argv, which every user of the machine can read. */

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { CliError, fileProblem } from "./errors.ts";
import { type Environment, type Setting, setting } from "./environment.ts";

/** The token and where it came from: COFFER_TOKEN, VAULT_TOKEN, else ~/.vault-token; undefined when there is none. */
export async function findToken(env: Environment): Promise<Setting | undefined> {
  const found = setting(env, "TOKEN") ?? (await storedToken(env));
  // What a header cannot carry would otherwise fail in fetch, whose message quotes the value.
  if (found !== undefined && !/^[\u0021-\u007e]+$/.test(found.value)) {
    throw new CliError(
      `the token of ${found.source} holds characters that no token has`,
      `write the token alone into ${found.source}, on one line`,
    );
  }
  return found;
}

async function storedToken(env: Environment): Promise<Setting | undefined> {
  const path = join(env["HOME"] ?? homedir(), ".vault-token");
  try {
    const value = (await readFile(path, "utf8")).trim();
    return value === "" ? undefined : { value, source: "~/.vault-token" };
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
      return undefined;
    }
    throw new CliError(`cannot read ${path}: ${fileProblem(error)}`, "set COFFER_TOKEN, or make the file readable", {
      cause: error,
    });
  }
}
