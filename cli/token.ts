/** The client's token: never from argv, which every user of the machine can read. */

import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { CliError, fileProblem } from "./errors.ts";
import { type Environment, type Setting, setting } from "./environment.ts";
import { askHidden } from "./prompt.ts";
import { readSecretFile } from "./secret-file.ts";
import type { Terminal } from "./terminal.ts";

/** The ways in, for hints. */
export const TOKEN_WAYS = "--token-file FILE, COFFER_TOKEN or ~/.vault-token";

/**
 * The token and where it came from: `file` where it is given (`-`: standard input), else COFFER_TOKEN, VAULT_TOKEN,
 * ~/.vault-token; undefined when there is none.
 */
export async function findToken(terminal: Terminal, file: string | undefined): Promise<Setting | undefined> {
  if (file !== undefined) return checkToken(await namedToken(terminal, file));
  const found = setting(terminal.env, "TOKEN") ?? (await storedToken(terminal.env));
  return found === undefined ? undefined : checkToken(found);
}

/** Asks for the token, unseen. Only for a terminal where somebody can be asked; the token is kept nowhere. */
export async function askToken(): Promise<Setting> {
  const value = await askHidden("Token (will be hidden):", `give it at the prompt, or by ${TOKEN_WAYS}`);
  return checkToken({ value: value.trim(), source: "the prompt" });
}

function checkToken(found: Setting): Setting {
  const { value, source } = found;
  if (value === "") throw new CliError(`no token in ${source}`, `give it by ${TOKEN_WAYS}`);
  // What a header cannot carry would otherwise fail in fetch, whose message quotes the value.
  if (!/^[\u0021-\u007e]+$/.test(value)) {
    throw new CliError(
      `the token of ${source} holds characters that no token has`,
      `write the token alone into ${source}, on one line`,
    );
  }
  return found;
}

const TOKEN_FILE = "--token-file takes the path of a file that holds the token, or - for standard input";

async function namedToken({ stdin }: Terminal, file: string): Promise<Setting> {
  if (file !== "-") return { value: (await readSecretFile(file, "--token-file", TOKEN_FILE)).trim(), source: file };
  // A terminal would show what is typed.
  if (stdin.isTerminal) return askToken();
  return { value: new TextDecoder().decode(await stdin.read()).trim(), source: "standard input" };
}

async function maySearch(folder: string): Promise<boolean> {
  return access(folder, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function storedToken(env: Environment): Promise<Setting | undefined> {
  const home = env["HOME"] ?? homeOfUser();
  if (home === undefined) return undefined;
  const path = join(home, ".vault-token");
  try {
    const value = (await readFile(path, "utf8")).trim();
    return value === "" ? undefined : { value, source: "~/.vault-token" };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // Under another user than the folder's, as with setpriv or cron: it is not this user's home.
    if (code === "EACCES" && !(await maySearch(home))) return undefined;
    throw new CliError(
      `cannot read ${path}: ${fileProblem(error)}`,
      "make the file readable, or give the token by --token-file FILE or COFFER_TOKEN",
      { cause: error },
    );
  }
}

/** Undefined for a user whom the system does not know, as in a container. */
function homeOfUser(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
