/**
 * `coffer server --dev`: a server in memory, initialised, unsealed, with a key-value engine at `secret/`. Everything is
 * done through the API, as an operator would.
 */

import * as v from "valibot";
import type { Coffer } from "../core/coffer.ts";
import { CliError } from "./errors.ts";

/** Three shares of which two unseal, so that everything about shares can be tried; or one, as Vault's dev mode. */
const SPLITS = { "1": { shares: 1, threshold: 1 }, "3": { shares: 3, threshold: 2 } } as const;

const initAnswer = v.object({ keys_base64: v.array(v.string()), root_token: v.string() });

export interface DevSecrets {
  readonly shares: readonly string[];
  readonly threshold: number;
  readonly rootToken: string;
}

/** Brings a fresh server up. `rootToken`: the token to make in the place of a random one. */
export async function startDev(
  coffer: Coffer,
  split: keyof typeof SPLITS,
  rootToken: string | undefined,
): Promise<DevSecrets> {
  const { shares, threshold } = SPLITS[split];
  const initialised = await call(coffer, "PUT", "sys/init", {
    secret_shares: shares,
    secret_threshold: threshold,
  });
  const { keys_base64, root_token } = v.parse(initAnswer, initialised);
  for (const key of keys_base64.slice(0, threshold)) await call(coffer, "PUT", "sys/unseal", { key });
  await call(coffer, "POST", "sys/mounts/secret", { type: "kv", description: "key-value secrets" }, root_token);
  if (rootToken !== undefined) {
    await makeRootToken(coffer, rootToken, root_token);
    await call(coffer, "POST", "auth/token/revoke-self", {}, root_token);
  }
  return { shares: keys_base64, threshold, rootToken: rootToken ?? root_token };
}

/** What a person needs to go on. */
export function devBanner(url: string, { shares, threshold, rootToken }: DevSecrets): string {
  const keys = shares.map((share, index) => `  Unseal Key ${index + 1}: ${share}`).join("\n");
  const needed = shares.length === 1 ? "" : ` (any ${threshold} of ${shares.length})`;
  return `
Coffer runs in dev mode: unsealed, in memory, without TLS. Everything is lost when it ends. Never use it in production.

  Address: ${url}
  Root Token: ${rootToken}

To unseal it again, should you seal it${needed}:

${keys}

Try it:

  export VAULT_ADDR='${url}' VAULT_TOKEN='${rootToken}'
  curl -H "X-Vault-Token: $VAULT_TOKEN" -X PUT -d '{"password":"correct horse"}' $VAULT_ADDR/v1/secret/first
  curl -H "X-Vault-Token: $VAULT_TOKEN" $VAULT_ADDR/v1/secret/first
  curl -H "X-Vault-Token: $VAULT_TOKEN" $VAULT_ADDR/v1/sys/key-status

`;
}

/** The only one of these requests that holds something that a person wrote. */
async function makeRootToken(coffer: Coffer, id: string, token: string): Promise<void> {
  try {
    await call(coffer, "POST", "auth/token/create", { id, no_parent: true }, token);
  } catch (error) {
    if (!(error instanceof Refused && error.status < 500)) throw error;
    throw new CliError(
      `this root token cannot be had: ${error.errors.join(", ")}`,
      "--dev-root-token-id and VAULT_DEV_ROOT_TOKEN_ID take letters, digits and dashes, for example root",
    );
  }
}

class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  readonly errors: readonly string[];

  constructor(status: number, text: string) {
    super(`dev mode: the server answered ${status}`);
    this.status = status;
    this.errors = v.parse(v.object({ errors: v.array(v.string()) }), JSON.parse(text)).errors;
  }
}

async function call(coffer: Coffer, method: string, path: string, body: object, token?: string): Promise<unknown> {
  const headers = token === undefined ? {} : { "x-vault-token": token };
  const request = new Request(`http://dev/v1/${path}`, {
    method,
    headers,
    body: JSON.stringify(body),
  });
  const response = await coffer.fetch(request);
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, text);
  return text === "" ? undefined : JSON.parse(text);
}
