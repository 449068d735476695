import { Bytes, isRegularFile } from "./file-bytes.ts";
import type { StorePaths } from "./file-format.ts";
import { damaged } from "./file-refusal.ts";

/*
 * SQLite's log and its index (https://www.sqlite.org/fileformat2.html#walformat, https://www.sqlite.org/walformat.html):
 *
 *   log     header: magic u32, version u32, page size u32, checkpoint u32, salts 8 bytes, checksum of the 24 before
 *           frame:  page u32, pages after a commit u32, salts 8 bytes, checksum of the first 8 and the page; the page
 *   index   header, twice: … made u8 @12, page size u16 @14, committed frames u32 @16, salts 8 bytes @32,
 *           checksum of the 40 before
 *           @96: frames that were moved into the database u32
 *
 * The log is big-endian, the index has the order of the machine, and salts are the same bytes in both.
 */
const LOG_HEADER = 32;
const FRAME_HEADER = 24;
const INDEX_HEADER = 48;
const INDEX = 100;
/** The order in which checksums take the words of what they cover. */
const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;

/**
 * Refuses a log that has lost something which was acknowledged. SQLite takes the first frame that is not right for the
 * end of the log, and a log without a header for an empty one. After the end of a process its index tells how many
 * frames there were. After a power failure it may be older than the log, never newer, for a commit syncs the log first.
 *
 * It reads the whole log, some MiB at the most.
 */
export function checkLog({ wal, shm }: StorePaths): void {
  const index = readIndex(shm);
  if (index === undefined || index.moved >= index.frames) return;
  using file = new Bytes(wal);
  const header = file.read(0, LOG_HEADER);
  if (header === undefined) throw damaged(`${wal} is truncated: its header is missing`);
  const magic = header.getUint32(0);
  const isLittle = magic === MAGIC_LITTLE_ENDIAN;
  let sum = add([0, 0], header, 0, 24, isLittle);
  if ((!isLittle && magic !== MAGIC_BIG_ENDIAN) || !isSum(sum, header, 24)) {
    throw damaged(`${wal} is damaged: its header is not what was written`);
  }
  const salts = header.getBigUint64(16);
  // An older index beside a log that was begun anew, which a power failure leaves: it says nothing about this log.
  if (salts !== index.salts) return;
  const size = FRAME_HEADER + index.page;
  for (let number = 1; number <= index.frames; number++) {
    const name = `frame ${number} of ${index.frames}`;
    const frame = file.read(LOG_HEADER + (number - 1) * size, size);
    if (frame === undefined) throw damaged(`${wal} is truncated: ${name} is missing`);
    sum = add(add(sum, frame, 0, 8, isLittle), frame, FRAME_HEADER, index.page, isLittle);
    if (frame.getBigUint64(8) !== salts || !isSum(sum, frame, 16)) {
      throw damaged(`${wal} is damaged: ${name} is not what was written`);
    }
  }
}

/** The numbers of the pages that the present round of the log holds. `page` is their size in bytes. */
export function pagesInLog(wal: string, page: number): ReadonlySet<number> {
  const numbers = new Set<number>();
  if (!isRegularFile(wal)) return numbers;
  using file = new Bytes(wal);
  const salts = file.read(0, LOG_HEADER)?.getBigUint64(16);
  for (let at = LOG_HEADER; ; at += FRAME_HEADER + page) {
    const frame = file.read(at, FRAME_HEADER);
    // Frames of an earlier round lie behind those of the present one; the salts tell them apart.
    if (frame === undefined || frame.getBigUint64(8) !== salts) return numbers;
    numbers.add(frame.getUint32(0));
  }
}

interface Index {
  /** Bytes. */
  readonly page: number;
  readonly frames: number;
  readonly moved: number;
  readonly salts: bigint;
}

/** undefined when there is none that SQLite would believe: its writer ended between the two copies, or before. */
function readIndex(shm: string): Index | undefined {
  if (!isRegularFile(shm)) return undefined;
  using file = new Bytes(shm);
  const index = file.read(0, INDEX);
  if (index === undefined || index.getUint8(12) === 0) return undefined;
  for (let at = 0; at < INDEX_HEADER; at++) {
    if (index.getUint8(at) !== index.getUint8(INDEX_HEADER + at)) return undefined;
  }
  if (!isSum(add([0, 0], index, 0, 40, true), index, 40, true)) return undefined;
  // The size is 16 bits wide, and 1 stands for 65536.
  const page = index.getUint16(14, true);
  return {
    page: page === 1 ? 65536 : page,
    frames: index.getUint32(16, true),
    moved: index.getUint32(96, true),
    salts: index.getBigUint64(32),
  };
}

type Sum = readonly [number, number];

/**
 * SQLite file format, §4.2: goes on with a checksum over `length` bytes, a multiple of 8. Signed words give the same
 * bits as unsigned ones, in half the time.
 */
function add([first, second]: Sum, bytes: DataView, from: number, length: number, isLittle: boolean): Sum {
  let one = first;
  let two = second;
  for (let at = from; at < from + length; at += 8) {
    one = (one + bytes.getInt32(at, isLittle) + two) | 0;
    two = (two + bytes.getInt32(at + 4, isLittle) + one) | 0;
  }
  return [one, two];
}

function isSum([one, two]: Sum, bytes: DataView, at: number, isLittle = false): boolean {
  return bytes.getInt32(at, isLittle) === one && bytes.getInt32(at + 4, isLittle) === two;
}
