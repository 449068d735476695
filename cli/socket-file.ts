/** The file of a Unix socket that this process listens on, told from whatever has its name later. */
import { chmodSync, closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { CliError } from "./errors.ts";

/** Of Linux: a hold of the file itself, without opening it. A socket cannot be opened. */
const O_PATH = 0o10000000;

export class SocketFile {
  readonly #path: string;
  readonly #device: bigint;
  readonly #inode: bigint;

  /**
   * What was bound at `path` just now; from here on it has `mode`. Throws CliError, and has changed nothing, when there is
   * no socket by then.
   */
  constructor(path: string, mode: number) {
    const hold = openSync(path, O_PATH | constants.O_NOFOLLOW);
    try {
      const stat = fstatSync(hold, { bigint: true });
      if (!stat.isSocket()) {
        throw new CliError(
          `cannot listen on ${path}: the socket was replaced while it was made`,
          "put it into a folder that nobody else may write to",
        );
      }
      // By its path, this could be a link to another file by now.
      chmodSync(`/proc/self/fd/${hold}`, mode);
      this.#path = path;
      this.#device = stat.dev;
      this.#inode = stat.ino;
    } finally {
      closeSync(hold);
    }
  }

  /** Whether the path leads to this socket still. Says nothing once the socket is closed: another may get its number. */
  isInPlace(): boolean {
    const stat = lstatSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return stat?.dev === this.#device && stat.ino === this.#inode;
  }
}
