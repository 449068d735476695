/** The HTTP client: one request, one answer, every failure with a hint. Speaks to Coffer, Vault and OpenBao alike. */

import * as v from "valibot";
import { answerError, errorTexts } from "./client-errors.ts";
import type { Connection } from "./connection.ts";
import { CliError } from "./errors.ts";
import type { Setting } from "./environment.ts";
import { parseJson } from "./json.ts";
import { type Terminal, withProgress } from "./terminal.ts";
import { transportError } from "./transport-errors.ts";

/** How long a request may take, in milliseconds: what `vault` allows. */
const TIMEOUT = 60_000;

interface RequestOptions {
  /** The JSON body, as text. */
  readonly body?: string;
  readonly query?: string;
  /** What failed, for the message: "error reading secret/a". */
  readonly failure: string;
  /** True for an answer beside 2xx that the caller handles itself, by its status and its `errors`. */
  readonly accept?: (status: number, errors: readonly string[]) => boolean;
}

interface Answer {
  readonly status: number;
  /** The parsed JSON; undefined when the body was empty. */
  readonly body: unknown;
}

export interface Client {
  /** Which server it asks, for messages. */
  readonly name: string;
  /** `path` is below /v1/ and not yet encoded. Rejects with CliError (exit code 2) on any status that is not accepted. */
  request(method: "GET" | "PUT" | "POST" | "DELETE", path: string, options: RequestOptions): Promise<Answer>;
}

interface ClientOptions {
  readonly connection: Connection;
  /** Called once, at the first request: what is wrong on this machine is told before anybody is asked for a token. */
  readonly token: () => Promise<Setting | undefined>;
  readonly terminal: Terminal;
}

export function openClient({ connection, token: findToken, terminal }: ClientOptions): Client {
  const { base, socket, tls, name, isLocal } = connection;
  let found: Promise<Setting | undefined> | undefined;

  return {
    name,
    async request(method, path, { body, query, failure, accept }) {
      const asked = `v1/${encodePath(path)}${query === undefined ? "" : `?${query}`}`;
      const token = await (found ??= findToken());
      const headers = {
        "X-Vault-Request": "true",
        ...(token === undefined ? {} : { "X-Vault-Token": token.value }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      };
      const exchange = async (): Promise<{
        status: number;
        text: string;
        location: string | null;
      }> => {
        const response = await fetch(`${base.href}${asked}`, {
          method,
          headers,
          ...(body === undefined ? {} : { body }),
          // A redirect would carry the token to another host.
          redirect: "manual",
          signal: AbortSignal.timeout(TIMEOUT),
          // Bun prints whole requests, the token with them, when BUN_CONFIG_VERBOSE_FETCH is set.
          verbose: false,
          // Proxy variables are for other machines; Bun would send even requests to this one there.
          ...(isLocal ? { proxy: false } : {}),
          ...(socket === undefined ? {} : { unix: socket }),
          ...(tls === undefined ? {} : { tls }),
        });
        return {
          status: response.status,
          text: await response.text(),
          location: response.headers.get("location"),
        };
      };
      const { status, text, location } = await withProgress(terminal, `waiting for ${name}`, exchange()).catch(
        (error: unknown) => {
          throw transportError(error, failure, connection);
        },
      );
      if (status >= 200 && status < 300) return { status, body: parseBody(text, failure) };
      const errors = errorTexts(text);
      if (accept?.(status, errors) === true) return { status, body: parseBody(text, failure) };
      const url = `${socket === undefined ? base.href : `${name}/`}${asked}`;
      throw answerError({ method, url, status, errors, location, failure, token });
    },
  };
}

/** Encodes each segment. Dot segments are refused: URL parsers resolve them, so another path than this would be asked. */
function encodePath(path: string): string {
  const segments = path.split("/");
  if (segments.some((segment) => segment === "." || segment === "..")) {
    throw new CliError(`the path ${path} holds a "." or ".." segment`, "name the whole path from the mount on");
  }
  if (!path.isWellFormed()) throw new CliError("the path is not well-formed Unicode", "name the path in UTF-8");
  return segments.map(encodeURIComponent).join("/");
}

function parseBody(text: string, failure: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return parseJson(text);
  } catch {
    // No cause: its message quotes the answer, which may be a secret.
    throw unexpectedAnswer(failure);
  }
}

/** Checks an answer's body. Throws CliError when it is not what such a server says. */
export function checkAnswer<Schema extends v.GenericSchema>(
  schema: Schema,
  body: unknown,
  failure: string,
): v.InferOutput<Schema> {
  const checked = v.safeParse(schema, body);
  if (!checked.success) throw unexpectedAnswer(failure);
  return checked.output;
}

function unexpectedAnswer(failure: string): CliError {
  return new CliError(
    `${failure}: the answer is not one of a Coffer, Vault or OpenBao server`,
    "check the address: --address, COFFER_ADDR or VAULT_ADDR",
    { exitCode: 2 },
  );
}
