/** `coffer operator key-status`. */

import { KeyStatus } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { columns } from "../table.ts";

interface Status {
  readonly term: number;
  /** RFC 3339. */
  readonly install_time: string;
  readonly encryptions: number;
}

export async function keyStatus(context: Context): Promise<number> {
  const status = await readKeyStatus(context);
  await context.print(keyStatusTable(status), status);
  return 0;
}

export async function readKeyStatus({ client }: Context): Promise<Status> {
  const failure = "error reading key status";
  const { body } = await client.request("GET", "sys/key-status", { failure });
  const { term, install_time, encryptions } = checkAnswer(KeyStatus, body, failure).data;
  return { term, install_time, encryptions };
}

export function keyStatusTable({ term, install_time, encryptions }: Status): string {
  return columns([
    ["Key Term", String(term)],
    ["Install Time", rfc822(install_time)],
    ["Encryption Count", String(encryptions)],
  ]);
}

/** A time as `vault` prints it: RFC 822 with a two-digit year, in UTC. A text that is no time stays as it is. */
function rfc822(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  // "Sun, 22 Nov 2026 08:36:46 GMT"
  const [, day, month, year, clock] = /^\w+, (\d+) (\w+) \d*(\d\d) (\d+:\d+)/.exec(time.toUTCString()) ?? [];
  return `${day} ${month} ${year} ${clock} UTC`;
}
