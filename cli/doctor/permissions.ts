/** Who on this machine may read or replace the store, the configuration and the keys. */
import { dirname } from "node:path";
import { type Check, mustDo, ok, unknown } from "./check.ts";
import { statOf } from "./stat.ts";

const OTHERS = 0o077;
const WRITABLE = 0o022;
const STICKY = 0o1000;
/** A key may be readable by a group that was made for it. */
const KEY = 0o027;

/** The store's folder and its files: for the server's user alone. */
export function checkStore(folder: string, files: readonly string[]): Check {
  const name = "store permissions";
  const loose = [folder, ...files].filter((path) => ((statOf(path)?.mode ?? 0) & OTHERS) !== 0);
  if (loose.length > 0) {
    return mustDo(name, `others may get at ${loose.join(", ")}`, `chmod go= ${loose.map(quoted).join(" ")}`);
  }
  const owners = new Set([folder, ...files].map((path) => statOf(path)?.uid).filter((uid) => uid !== undefined));
  if (owners.size > 1) {
    return mustDo(name, `${folder} and its files belong to several users`, `chown -R USER ${quoted(folder)}`);
  }
  const open = replaceable(folder);
  if (open !== undefined) {
    return mustDo(name, `others may put another folder in the place of ${folder}`, `chmod go-w ${quoted(open)}`);
  }
  return ok(name, `${folder} is for its owner alone`);
}

/** Who can change the configuration can have the server listen anywhere, and store anywhere. */
export function checkConfigFile(path: string): Check {
  const name = "configuration permissions";
  const stat = statOf(path);
  if (stat === undefined) return unknown(name, `${path} cannot be looked at`);
  if ((stat.mode & WRITABLE) !== 0) return mustDo(name, `others may change ${path}`, `chmod go-w ${quoted(path)}`);
  const open = replaceable(path);
  if (open !== undefined) return mustDo(name, `others may replace ${path}`, `chmod go-w ${quoted(open)}`);
  return ok(name, `${path} can be changed by its owner alone`);
}

/** A private key or a token: not for everybody, and to be changed by nobody but its owner. */
export function checkKeyFile(path: string): Check {
  const name = "key file";
  const stat = statOf(path);
  if (stat === undefined) return mustDo(name, `${path} is not there, or not for this user`, "name the right file");
  if ((stat.mode & KEY) !== 0) return mustDo(name, `others may get at ${path}`, `chmod g-w,o= ${quoted(path)}`);
  return ok(name, `${path} is not for everybody`);
}

/** The nearest folder above `path` in which others may rename what is in it; undefined when there is none. */
function replaceable(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const mode = statOf(folder)?.mode ?? 0;
    if ((mode & WRITABLE) !== 0 && (mode & STICKY) === 0) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./+:@-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
