/**
 * Every request between two entries: one before it is carried out, one before it is answered. When no device takes the
 * first, nothing is done; when none takes the second, the client is told nothing of what was done. One device is enough,
 * but not one that keeps nothing, as long as there is another.
 */
import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import type { Reply } from "../plugin.ts";
import type { Soon } from "../soon.ts";
import type { LineFormat, AuditedRequest, Outcome } from "./line.ts";
import type { LiveDevice } from "./live-device.ts";

/** A device and how its lines are written. */
export interface Output {
  readonly device: LiveDevice;
  readonly format: LineFormat;
}

/** The devices that are in use at one moment. A request is recorded by those that it began with. */
export class Recorder {
  readonly outputs: readonly Output[];
  readonly #clock: Clock;

  constructor(outputs: readonly Output[], clock: Clock) {
    this.outputs = outputs;
    this.#clock = clock;
  }

  /** Carries out `act` between the entries of `request`. Throws what `act` throws, and ApiError `audit-failed`. */
  async record(request: AuditedRequest, act: () => Soon<Reply>): Promise<Reply> {
    const begun = this.outputs.map((output) => ({ ...output, pieces: output.format.begin(request) }));
    const asked = this.#time();
    await write(begun, ({ format, pieces }) => format.requestLine(asked, pieces));
    let outcome: Outcome;
    try {
      outcome = { reply: await act() };
    } catch (error) {
      outcome = { error };
    }
    const answered = this.#time();
    await write(begun, ({ format, pieces }) => format.responseLine(answered, pieces, outcome));
    if ("error" in outcome) throw outcome.error;
    return outcome.reply;
  }

  #time(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

/** Resolves with the first device that has its line; the others go on with theirs. */
async function write<T extends Output>(outputs: readonly T[], lineOf: (output: T) => string): Promise<void> {
  // One that was removed meanwhile, perhaps by this very request, is not waited for.
  const present = outputs.filter(({ device }) => !device.removed);
  if (present.length === 0) return;
  // One that keeps nothing would let everything go on while those that are to record fail.
  const keeping = present.filter(({ device }) => !device.keepsNothing);
  const asked = keeping.length === 0 ? present : keeping;
  const writing = asked.map((output) => output.device.write(lineOf(output)));
  try {
    await (writing.length === 1 ? writing[0] : Promise.any(writing));
  } catch (error) {
    throw new ApiError("audit-failed", undefined, { cause: error });
  }
}
