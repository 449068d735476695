/** What a server's answer says went wrong, and what to do about it. */

import { CliError } from "./errors.ts";
import type { Setting } from "./environment.ts";
import { isObject } from "./json.ts";
import { TOKEN_WAYS } from "./token.ts";

interface RefusedAnswer {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  /** As {@link errorTexts} gives them. */
  readonly errors: readonly string[];
  readonly location: string | null;
  readonly failure: string;
  readonly token: Setting | undefined;
}

/** An answer that is an error: its status, each of its `errors` as a line, and a hint. */
export function answerError(answer: RefusedAnswer): CliError {
  const { method, url, status, failure, errors } = answer;
  const message = `${failure}: ${method} ${url} answered ${status}`;
  return new CliError(message, hintFor(answer, errors.join("\n")), {
    exitCode: 2,
    details: errors,
    status,
  });
}

/** The texts of `{"errors": [...]}`; what is not that, is shown as it is, but not more than the beginning. */
export function errorTexts(text: string): readonly string[] {
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body) && Array.isArray(body["errors"])) return body["errors"].map(String);
  } catch {
    // Not JSON: a proxy, or another kind of server.
  }
  return text.trim() === "" ? [] : [text.trim().slice(0, 500)];
}

const EXPORT_KEY = "export the holder's public key: gpg --export --armor NAME > key.asc";

/** What the server says of key shares and PGP keys, and what helps. */
const CEREMONY_HINTS: readonly (readonly [said: RegExp, hint: string])[] = [
  [/no share generation in progress/, "start one with `coffer operator generate-share start --pgp-key FILE`"],
  [/pgp_fingerprint is not the one of this attempt/, "`coffer operator generate-share status` shows for whom it is"],
  [/wrong key share|invalid key: /, "was the share copied whole, and is it one of this server's?"],
  [/given key has already been provided/, "every share counts once: now another custodian's is needed"],
  [/shares given do not combine/, "start anew: `coffer operator generate-share cancel`"],
  [/has one key share|all 255 shares/, "`coffer status` shows into how many shares the key is split"],
  [/count mismatch between number of provided PGP keys/, "name as many files in --pgp-keys as --key-shares says"],
  [/PGP key/, EXPORT_KEY],
];

function hintFor({ url, status, location, token }: RefusedAnswer, said: string): string {
  if (said.includes("HTTP request to an HTTPS server")) {
    return `set COFFER_ADDR=${new URL(url).origin.replace("http:", "https:")}`;
  }
  if (said.includes("not initialized")) return "initialise it with `coffer operator init`";
  if (said.includes("already initialized"))
    return "see its state with `coffer status`; unseal it with `coffer operator unseal`";
  if (status === 503 && said.includes("sealed")) {
    return "unseal it with `coffer operator unseal` (a new server needs `coffer operator init` first)";
  }
  if (said.includes("path is already in use"))
    return "choose another path with -path; `coffer secrets list` shows those in use";
  const ceremony = CEREMONY_HINTS.find(([pattern]) => pattern.test(said));
  if (ceremony !== undefined) return ceremony[1];
  if (status === 404 && said.includes("no handler for route")) {
    return "nothing is mounted there; `coffer secrets list` shows what is";
  }
  if (status === 403) {
    return token === undefined
      ? `give a token by ${TOKEN_WAYS}`
      : `the server refused the token of ${token.source} for this path; give another by ${TOKEN_WAYS}`;
  }
  if (status >= 300 && status < 400) return `ask the server that it names instead: ${location ?? "(it names none)"}`;
  if (said.includes("too many refused tokens or key shares")) {
    return "the limit is for a minute; the server's log shows which requests from this address it refused";
  }
  if (status === 429) return "the server limits the rate of requests; try again later";
  if (status >= 500) return "look at the server's log";
  if (status === 404 || status === 405) return "does the server have this endpoint? `coffer status` shows its version";
  return "the server does not take the request as it is; --help shows its form";
}
