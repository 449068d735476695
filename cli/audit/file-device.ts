/** Audit lines to a file, or to standard output. */

import { fstatSync, type Stats, statSync, write } from "node:fs";
import { constants, type FileHandle, mkdir, open } from "node:fs/promises";
import { devNull } from "node:os";
import { dirname } from "node:path";
import type { AuditDevice } from "../../core/audit/device.ts";
import { LineWriter, type Sink } from "./line-writer.ts";

/** How long a write may take before the device counts as stuck. A disk that is alive answers in milliseconds. */
const LIMIT_MS = 2000;
/** How soon a pipe that was full is tried again. */
const RETRY_MS = 10;
const LINE_BREAK = 0x0a;
const STDOUT = 1;

/** A named pipe that nobody reads must not hold whoever opens it. */
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
/** Nor a symbolic link, which whoever rotates logs may have been led to make, turn lines into another file. */
const APPENDING = O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_WRONLY;

/** `mode`: what the file may be done with, and by whom; 0 leaves that as it is. */
export async function openFileDevice(path: string, mode: number): Promise<AuditDevice> {
  let opened = await openFile(path, mode);
  let sink = new DescriptorSink(opened.file.fd);
  let lines = new LineWriter(sink, LIMIT_MS);
  const reopen = async () => {
    const old = { ...opened, sink, lines };
    opened = await openFile(path, mode);
    const { file, stat } = opened;
    sink.descriptor = file.fd;
    if (await lines.settled()) return old.file.close();
    // What is stuck in the old one must not hold up the new one.
    sink = new DescriptorSink(file.fd, stat.dev === old.stat.dev && stat.ino === old.stat.ino);
    lines = new LineWriter(sink, LIMIT_MS);
    old.sink.abandon();
    // Of an error then nobody is left to be told: what it is about was refused long ago.
    void old.lines.ended().then(() => old.file.close().catch(() => undefined));
  };
  /** In turn: two at once would lose a file, which the runtime ends the process for. */
  let reopening = Promise.resolve();
  return {
    get keepsNothing() {
      return opened.keepsNothing;
    },
    write: (line) => lines.write(line),
    reopen: () => (reopening = reopening.catch(() => undefined).then(reopen)),
    async close() {
      await lines.drained();
      // A write that is stuck may still come to an end: were the file closed, its number would be another one's by then.
      sink.abandon();
      if (await within(LIMIT_MS, lines.ended())) await opened.file.close();
    },
  };
}

export function openStdoutDevice(): AuditDevice {
  const lines = new LineWriter(new DescriptorSink(STDOUT), LIMIT_MS);
  return {
    keepsNothing: isNull(fstatSync(STDOUT)),
    write: (line) => lines.write(line),
    reopen: () => Promise.resolve(),
    close: () => lines.drained(),
  };
}

/** Takes every line and keeps none. */
export const DISCARD: AuditDevice = {
  keepsNothing: true,
  write: () => Promise.resolve(),
  reopen: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

interface OpenFile {
  readonly file: FileHandle;
  readonly stat: Stats;
  readonly keepsNothing: boolean;
}

async function openFile(path: string, mode: number): Promise<OpenFile> {
  // Where the folder cannot be made, opening the file says why.
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch(() => undefined);
  const file = await open(path, APPENDING, mode === 0 ? 0o600 : mode);
  try {
    const stat = await file.stat();
    if (mode !== 0 && stat.isFile() && (stat.mode & 0o777) !== mode) await file.chmod(mode);
    return { file, stat, keepsNothing: isNull(stat) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Whether this is what `/dev/null` is, by whatever name it was reached: the number of a device tells. */
function isNull(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === statSync(devNull, { throwIfNoEntry: false })?.rdev;
}

/** Whether `work` is done in so many milliseconds. */
async function within(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, ms, false)));
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}

class DescriptorSink implements Sink {
  /** What the next write goes to. */
  descriptor: number;
  /** What was written last may be half a line: a disk became full in the middle of it. */
  #torn: boolean;
  #isAbandoned = false;

  constructor(descriptor: number, torn = false) {
    this.descriptor = descriptor;
    this.#torn = torn;
  }

  /** Gives up what a full pipe does not take. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async send(bytes: Uint8Array): Promise<void> {
    const { descriptor } = this;
    if (this.#torn) {
      await this.#writeSome(descriptor, Uint8Array.of(LINE_BREAK));
      this.#torn = false;
    }
    for (let at = 0; at < bytes.length;) {
      try {
        at += await this.#writeSome(descriptor, at === 0 ? bytes : bytes.subarray(at));
      } catch (error) {
        this.#torn = at > 0 && bytes[at - 1] !== LINE_BREAK;
        throw error;
      }
    }
  }

  /** Writes at least one byte, and tells how many. */
  #writeSome(descriptor: number, bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const attempt = () => {
        if (this.#isAbandoned) return reject(new Error("the device was closed"));
        write(descriptor, bytes, (error, written) => {
          if (error === null) resolve(written);
          else if (error.code === "EAGAIN") setTimeout(attempt, RETRY_MS);
          else reject(error);
        });
      };
      attempt();
    });
  }
}
