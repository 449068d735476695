/**
 * Every request between two entries: one before it is carried out, one before it is answered. When no device takes the
 * first, nothing is done; when none takes the second, the client is told nothing of what was done. One device is enough,
 * but not one that keeps nothing, as long as there is another.
 */
import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { isoTime } from "../iso-time.ts";
import type { RecordAnswer, Reply } from "../plugin.ts";
import { soon, type Soon } from "../soon.ts";
import type { AuditedRequest, LineFormat, Outcome, RequestPieces } from "./line.ts";
import type { LiveDevice } from "./live-device.ts";

/** A device and how its lines are written. */
export interface Output {
  readonly device: LiveDevice;
  readonly format: LineFormat;
}

/** With the pieces of a request as its lines have them. */
interface Begun extends Output {
  readonly pieces: RequestPieces;
}

/** The devices that are in use at one moment. A request is recorded by those that it began with. */
export class Recorder {
  readonly outputs: readonly Output[];
  readonly #clock: Clock;

  constructor(outputs: readonly Output[], clock: Clock) {
    this.outputs = outputs;
    this.#clock = clock;
  }

  /**
   * Carries out `act` between the entries of `request`; `act` may record its reply itself, and what it throws after that
   * is an entry more. What `keep` gives for a reply is disposed of when that is recorded. Throws what `act` throws, and
   * ApiError `audit-failed`.
   */
  async record(
    request: AuditedRequest,
    act: (recordAnswer: RecordAnswer) => Soon<Reply>,
    keep: (reply: Reply) => Disposable | undefined,
  ): Promise<Reply> {
    const begun: readonly Begun[] = this.outputs.map(({ device, format }) => ({
      device,
      format,
      pieces: format.begin(request),
    }));
    const asked = this.#time();
    await write(begun, ({ format, pieces }) => format.requestLine(asked, pieces));
    let recorded: Reply | undefined;
    let counted: Disposable | undefined;
    let outcome: Outcome;
    try {
      const acted = act(async (early) => {
        await this.#writeAnswer(begun, { reply: early });
        recorded = early;
      });
      // In the moment it is made: a promise later those of all that were recorded together are made, too, and none counted.
      const count = (made: Reply): Reply => {
        counted = keep(made);
        return made;
      };
      outcome = { reply: await soon(acted, count) };
    } catch (error) {
      outcome = { error };
    }
    try {
      if ("error" in outcome || outcome.reply !== recorded) await this.#writeAnswer(begun, outcome);
    } finally {
      counted?.[Symbol.dispose]();
    }
    if ("error" in outcome) throw outcome.error;
    return outcome.reply;
  }

  #writeAnswer(begun: readonly Begun[], outcome: Outcome): Promise<void> {
    const answered = this.#time();
    return write(begun, ({ format, pieces }) => format.responseLine(answered, pieces, outcome));
  }

  #time(): string {
    return isoTime(this.#clock.now());
  }
}

/** Resolves with the first device that has its line; the others go on with theirs. Rejects with ApiError `audit-failed`. */
function write(outputs: readonly Begun[], lineOf: (output: Begun) => string): Promise<void> {
  const keepsSomething = outputs.some(({ device }) => !device.removed && !device.keepsNothing);
  const writing: Promise<void>[] = [];
  for (const output of outputs) {
    const { device } = output;
    // One that was removed meanwhile, perhaps by this very request, is not waited for. One that keeps nothing would let
    // everything go on while those that are to record fail.
    if (device.removed || (keepsSomething && device.keepsNothing)) continue;
    writing.push(device.write(lineOf(output)));
  }
  const [only = Promise.resolve()] = writing;
  return writing.length < 2 ? only : Promise.any(writing).catch(failed);
}

function failed(error: unknown): never {
  throw new ApiError("audit-failed", undefined, { cause: error });
}
