import type { Log } from "../core/log.ts";

/** What is done on SIGHUP, by which an operator says that files were replaced: a log rotated, a certificate renewed. */
export interface HangUps extends Disposable {
  /** `act` is to be done at every SIGHUP; what it rejects with is logged. */
  add(act: () => Promise<void>): void;
}

/** From here on SIGHUP does not end the process. */
export function openHangUps(log: Log): HangUps {
  const acts: (() => Promise<void>)[] = [];
  const reload = async (act: () => Promise<void>): Promise<boolean> => {
    try {
      await act();
      return true;
    } catch (error) {
      log.error({ err: error }, "could not reload: it goes on as it was");
      return false;
    }
  };
  const reloadAll = async () => {
    const done = await Promise.all(acts.map(reload));
    if (done.every(Boolean)) log.info({ signal: "SIGHUP" }, "reloaded");
  };
  const onHangUp = () => {
    void reloadAll();
  };
  process.on("SIGHUP", onHangUp);
  return {
    add: (act) => void acts.push(act),
    [Symbol.dispose]: () => void process.off("SIGHUP", onHangUp),
  };
}
