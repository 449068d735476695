/** Calls to a server that speaks Vault's API: Coffer, or the one that it is measured beside. */

/** One request. Resolves with the body of the answer; rejects when that is none of success. */
export async function call(url: string, method: string, path: string, body?: object, token?: string): Promise<string> {
  const response = await fetch(`${url}/v1/${path}`, {
    method,
    headers: token === undefined ? {} : { "X-Vault-Token": token },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
  return text;
}

/** Initialises and unseals; resolves with the root token once the server works. */
export async function unseal(url: string): Promise<string> {
  const { keys, root_token: token } = JSON.parse(
    await call(url, "PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 }),
  ) as { keys: string[]; root_token: string };
  await call(url, "PUT", "sys/unseal", { key: keys[0] });
  // A cluster of one has to elect itself.
  while (!(await fetch(`${url}/v1/sys/health`)).ok) await Bun.sleep(100);
  return token;
}
