/** The server's life: open the storage, put the engine on it, listen, and close it all in the reverse order. */

import { openCoffer } from "../core/coffer.ts";
import type { Answer } from "../core/http/answer.ts";
import { soon } from "../core/soon.ts";
import packageJson from "../package.json" with { type: "json" };
import { plugins } from "../plugins/index.ts";
import { openStorage } from "../storage/index.ts";
import { openAudit } from "./audit/declared.ts";
import type { ServerOptions } from "./commands/server.ts";
import { type Config, loadConfig, parseConfig } from "./config.ts";
import { devBanner, startDev } from "./dev.ts";
import { CliError } from "./errors.ts";
import { openHangUps } from "./hang-ups.ts";
import { Heap } from "./heap.ts";
import type { App } from "./http/connection.ts";
import { type Listener, listen, type ListenOptions } from "./listen.ts";
import { parseListenAddress, refuseClearText, refuseTlsOnSocket } from "./listen-address.ts";
import { type OpenLog, openLog } from "./log.ts";
import { openProcessMetrics } from "./metrics/process.ts";
import { renderPrometheus } from "./metrics/prometheus.ts";
import { RefusedConnections } from "./refused-connections.ts";

/** What a server that must not answer any more answers. */
const NEVER = new Promise<Answer>(() => undefined);
/** How long the last log lines may take when the process must end. */
const LAST_WORDS_MS = 1000;

/** Runs the server until it is interrupted; resolves with the exit code. */
export async function runServer(options: ServerOptions): Promise<number> {
  if (options.dev !== true && (options.devShares ?? options.devRootTokenId) !== undefined)
    throw new CliError("--dev-shares and --dev-root-token-id are for dev mode", "add --dev, or leave them out");
  const config = options.config === undefined ? parseConfig("", "") : loadConfig(options.config);
  const storageUrl = storageOf(options, config.storage);
  const address = parseListenAddress(options.listen ?? config.listener.address);
  const { tls } = config.listener;
  if (tls !== undefined) refuseTlsOnSocket(address);
  else refuseClearText(address, options.unsafeListenWithoutTls ?? config.listener.unsafeWithoutTls);
  const log = openLog({ level: options.logLevel ?? config.logLevel });
  const fate = endOnFailure(log);
  // From here on: a signal that comes while the server starts must not leave what it has opened.
  const interrupted = nextSignal();

  using hangUps = openHangUps(log);

  {
    await using audit = await openAudit(config.audit);
    // A store is looked through when it is opened: a large one takes a while.
    log.info({}, "opening the storage");
    // Disposed in reverse order: the coffer seals itself and gives back what its meter has not used, the storage closes.
    await using storage = await openStorage(storageUrl, { fatal: fate.fatal });
    const refused = new RefusedConnections(log);
    const processMetrics = openProcessMetrics();
    await using coffer = openCoffer({
      storage,
      plugins,
      log,
      version: packageJson.version,
      audit: audit.settings,
      // In dev mode the requests of the documentation work as they stand there, without a token.
      unauthenticated: options.dev === true ? ["generate-share"] : openEndpoints(config),
      refusalsPerMinute: config.limits.refusalsPerMinute,
      metrics: { render: renderPrometheus, ofProcess: () => [...processMetrics(), refused.family()] },
      hostInfo: async () => (await import("./host-info.ts")).hostInfo(),
    });
    hangUps.add(() => coffer.reopenAudit());
    const dev =
      options.dev === true ? await startDev(coffer, options.devShares ?? "3", devRootToken(options)) : undefined;
    const heap = new Heap();
    const app: App = (request) => {
      if (fate.dead) return NEVER;
      return soon(coffer.answer(request), (answer) => {
        heap.used(answer.body?.length ?? 0);
        return answer;
      });
    };
    const onRead = (bytes: number) => heap.used(bytes);
    const listener = await tryListen(app, { ...config.listener, address, onRefused: refused.add, onRead });
    hangUps.add(async () => {
      await listener.reload();
      return true;
    });
    log.info({ address: listener.url, storage: storage.type, version: packageJson.version }, "listening");
    process.stdout.write(dev === undefined ? `Coffer listens on ${listener.url}\n` : devBanner(listener.url, dev));

    const signal = await interrupted;
    log.info({ signal }, "stopping");
    await listener.stop();
  }
  log.info({}, "stopped");
  await log.flush();
  return 0;
}

function openEndpoints({ unauthenticated, telemetry }: Config): readonly string[] {
  return telemetry.unauthenticatedMetricsAccess ? [...unauthenticated, "metrics"] : unauthenticated;
}

function storageOf(options: ServerOptions, configured: string | undefined): string {
  const given = options.storage ?? configured;
  if (options.dev !== true) {
    if (given !== undefined) return given;
    throw new CliError("no storage was named", [
      "name one: --storage file:/var/lib/coffer",
      "or try it: coffer server --dev",
    ]);
  }
  if (given === undefined || given === "memory:") return "memory:";
  throw new CliError("dev mode keeps everything in memory", "leave out --dev to use this storage");
}

/** Empty is as good as not given, as a variable of a shell may be. */
function devRootToken({ devRootTokenId }: ServerOptions): string | undefined {
  return devRootTokenId || process.env["VAULT_DEV_ROOT_TOKEN_ID"] || undefined;
}

async function tryListen(app: App, options: ListenOptions): Promise<Listener> {
  try {
    return await listen(app, options);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { address } = options;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new CliError(
      `cannot listen on ${"path" in address ? address.path : `${address.host}:${address.port}`}: ${code}`,
      "is another server running there? choose another address with --listen",
      { cause: error },
    );
  }
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => resolve(signal));
  });
}

async function end(log: OpenLog): Promise<never> {
  await log.flush(LAST_WORDS_MS);
  process.exit(1);
}

/**
 * Ends the process when it can no longer answer for what it says: the storage failed, or a defect escaped. From then on
 * no request is answered; the log gets a second to say why.
 */
function endOnFailure(log: OpenLog): {
  readonly dead: boolean;
  readonly fatal: (error: Error) => never;
} {
  const fate = {
    dead: false,
    fatal(error: Error): never {
      if (!fate.dead) {
        fate.dead = true;
        log.error({ err: error }, "the server cannot go on and ends");
        void end(log);
      }
      throw error;
    },
  };
  const last = (error: unknown) => {
    try {
      fate.fatal(error instanceof Error ? error : new Error("something that is no error was thrown"));
    } catch {
      // Said already.
    }
  };
  process.on("uncaughtException", last);
  process.on("unhandledRejection", last);
  return fate;
}
