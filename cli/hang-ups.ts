import type { Log } from "../core/log.ts";

/** What is done on SIGHUP, by which an operator says that files were replaced: a log rotated, a certificate renewed. */
export interface HangUps extends Disposable {
  /** `act` is to be done at every SIGHUP; what it rejects with is logged. It gives false for what has failed and is logged. */
  add(act: () => Promise<boolean>): void;
}

/** From here on SIGHUP does not end the process. */
export function openHangUps(log: Log): HangUps {
  const acts: (() => Promise<boolean>)[] = [];
  const reload = async (act: () => Promise<boolean>): Promise<boolean> => {
    try {
      return await act();
    } catch (error) {
      log.error({ err: error }, "could not reload: it goes on as it was");
      return false;
    }
  };
  const reloadAll = async () => {
    const done = await Promise.all(acts.map(reload));
    if (done.every(Boolean)) log.info({ signal: "SIGHUP" }, "reloaded");
  };
  // One at a time, and for those that come while one waits, one: what is replaced once must not be opened twice.
  let underWay = Promise.resolve();
  let isWaiting = false;
  const onHangUp = () => {
    if (isWaiting) return;
    isWaiting = true;
    underWay = underWay.then(() => {
      isWaiting = false;
      return reloadAll();
    });
  };
  process.on("SIGHUP", onHangUp);
  return {
    add: (act) => void acts.push(act),
    [Symbol.dispose]: () => void process.off("SIGHUP", onHangUp),
  };
}
