import type { Log } from "../core/log.ts";

/** What is done on SIGHUP, by which an operator says that files were replaced: a log rotated, a certificate renewed. */
export interface HangUps extends Disposable {
  /** `act` is to be done at every SIGHUP; what it rejects with is logged. */
  add(act: () => Promise<void>): void;
}

/** From here on SIGHUP does not end the process. */
export function openHangUps(log: Log): HangUps {
  const acts: (() => Promise<void>)[] = [];
  const reload = async (act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      log.error({ err: error }, "could not reload: it goes on as it was");
    }
  };
  const onHangUp = () => {
    void Promise.all(acts.map(reload)).then(() => log.info({ signal: "SIGHUP" }, "reloaded"));
  };
  process.on("SIGHUP", onHangUp);
  return {
    add: (act) => void acts.push(act),
    [Symbol.dispose]: () => void process.off("SIGHUP", onHangUp),
  };
}
