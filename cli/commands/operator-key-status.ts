/** `coffer operator key-status`. */

import { KeyStatus } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { columns } from "../table.ts";

export async function keyStatus(context: Context): Promise<number> {
  const failure = "error reading key status";
  const { body } = await context.client.request("GET", "sys/key-status", { failure });
  const { term, install_time, encryptions } = checkAnswer(KeyStatus, body, failure).data;
  const rows = [
    ["Key Term", String(term)],
    ["Install Time", rfc822(install_time)],
    ["Encryption Count", String(encryptions)],
  ];
  await context.print(columns(rows), { term, install_time, encryptions });
  return 0;
}

/** A time as `vault` prints it: RFC 822 with a two-digit year, in UTC. A text that is no time stays as it is. */
function rfc822(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  // "Sun, 22 Nov 2026 08:36:46 GMT"
  const [, day, month, year, clock] = /^\w+, (\d+) (\w+) \d*(\d\d) (\d+:\d+)/.exec(time.toUTCString()) ?? [];
  return `${day} ${month} ${year} ${clock} UTC`;
}
