/**
 * Tables of requests and answers. Each row is tried against the app in this process, and over HTTP against the executable
 * on a file store: in the clear, over TLS and over a Unix socket. The rows of a table follow one another on one server, so a row may build on those above.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Certificates, makeCertificates } from "../cli/certificates.ts";
import { newFolder, type Start, startServer } from "../executable.ts";
import { type Answer, type CallOptions, startCoffer, type Unsealed } from "../harness.ts";
import { exchange } from "../raw-http.ts";

export interface Ask extends CallOptions {
  /** GET unless told. */
  readonly method?: string;
  /** What follows `/v1/`; with `wire` all of it, as it stands in the request line. */
  readonly path: string;
  /** Sent by hand over a socket, and so to the executable only: what `fetch` cannot say. The body is a string. */
  readonly wire?: true;
}

export interface Row {
  readonly name: string;
  /** Sent with the root token where nothing else is said; `token: ""` sends none. */
  readonly request: Ask | ((known: Unsealed) => Ask);
  /** 0: the connection is closed without an answer. */
  readonly status: number;
  /** The whole JSON body, with matchers where values are others each time. Neither this nor `errors`: it is empty. */
  readonly body?: unknown;
  /** Short for a body of errors alone. */
  readonly errors?: readonly unknown[];
}

type State = "uninitialised" | "sealed" | "unsealed";

interface Target extends AsyncDisposable {
  ask(request: Ask): Promise<Pick<Answer, "status" | "text"> & { header(name: string): string | null }>;
  initAndUnseal(shares: number, threshold: number): Promise<Unsealed>;
}

export const UUID: unknown = expect.stringMatching(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
export const aString: unknown = expect.any(String);
export const aNumber: unknown = expect.any(Number);

/** Vault's envelope around `data`, with whatever else differs. */
export function envelope(data: unknown, other: object = {}): object {
  const empty = { lease_id: "", renewable: false, lease_duration: 0, wrap_info: null, warnings: null, auth: null };
  return { request_id: UUID, ...empty, data, ...other };
}

/** As {@link envelope}, with the data at the top, too. */
export function duplicated(data: object): object {
  return { ...data, ...envelope(data) };
}

/** A server of its own for every table: `sealed` and `unsealed` with 3 shares of which 2 open it. */
export function table(title: string, state: State, rows: readonly Row[]): void {
  describe(`${title}, in process`, () =>
    run(
      inProcess,
      state,
      rows.filter((row) => !isWire(row)),
    ));
  describe(`${title}, over HTTP`, () => run(() => overHttp(), state, rows));
  describe(`${title}, over TLS`, () => run(() => overHttp(secure()), state, rows));
  describe(`${title}, over a Unix socket`, () =>
    run(() => overHttp({ listen: `unix://${newFolder()}/s` }), state, rows));
}

function run(open: () => Promise<Target>, state: State, rows: readonly Row[]): void {
  let target: Target;
  let known: Unsealed = { token: "", keys: [] };
  beforeAll(async () => {
    target = await open();
    if (state !== "uninitialised") known = await target.initAndUnseal(3, 2);
    if (state === "sealed") await target.ask({ method: "PUT", path: "sys/seal", token: known.token });
  });
  afterAll(() => target[Symbol.asyncDispose]());

  test.each(rows.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
    const request = typeof row.request === "function" ? row.request(known) : row.request;
    const answer = await target.ask({ token: known.token, ...request });
    const body = row.errors === undefined ? row.body : { errors: row.errors };
    expect({
      status: answer.status,
      body: answer.text === "" ? undefined : (JSON.parse(answer.text) as unknown),
    }).toEqual({
      status: row.status,
      body,
    });
    if (answer.status === 0 || isUnreadable(row)) return;
    expect(answer.header("cache-control")).toBe("no-store");
    expect(answer.header("content-type")).toBe("application/json");
    expect(answer.header("strict-transport-security")).toBe("max-age=31536000; includeSubDomains");
  });
}

/** What no handler of Vault's ever sees is answered by 400 and nothing else. */
function isUnreadable({ status, body, errors }: Row): boolean {
  return status === 400 && body === undefined && errors === undefined;
}

function isWire({ request }: Row): boolean {
  return typeof request !== "function" && request.wire === true;
}

async function inProcess(): Promise<Target> {
  const server = await startCoffer();
  return {
    async ask({ method = "GET", path, ...options }) {
      const { status, text, headers } = await server.call(method, path, options);
      return { status, text, header: (name) => headers.get(name) };
    },
    initAndUnseal: (shares, threshold) => server.initAndUnseal(shares, threshold),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

let certificates: Certificates | undefined;

function secure(): Omit<Start, "args"> & { readonly config: string } {
  certificates ??= makeCertificates();
  const { authority, server } = certificates;
  return {
    ca: readFileSync(authority.cert, "utf8"),
    config: `[listener]\ntls_cert_file = "${server.cert}"\ntls_key_file = "${server.key}"\n`,
  };
}

async function overHttp(start: Omit<Start, "args"> & { readonly config?: string } = {}): Promise<Target> {
  const { config = "", ...how } = start;
  const folder = newFolder();
  writeFileSync(join(folder, "coffer.toml"), config);
  const args = ["--config", join(folder, "coffer.toml"), "--storage", `file:${folder}/store`];
  const server = await startServer({ args, ...how });
  return {
    async ask({ method = "GET", path, wire, ...options }) {
      if (wire !== true) {
        const { status, text, headers } = await server.call(method, path, options);
        return { status, text, header: (name) => headers.get(name) };
      }
      const { token, body, headers = {} } = options;
      const answer = await exchange(server.way, {
        method,
        path,
        headers: { ...(token !== undefined && { "X-Vault-Token": token }), ...headers },
        body: typeof body === "string" ? body : undefined,
      });
      if (answer === undefined) return { status: 0, text: "", header: () => null };
      return { ...answer, header: (name) => answer.headers.get(name) ?? null };
    },
    initAndUnseal: (shares, threshold) => server.initAndUnseal(shares, threshold),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
