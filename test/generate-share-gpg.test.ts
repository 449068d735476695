/** The executable and a real gpg: for every kind of key, what gpg decrypts opens the coffer after a restart. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { newFolder, type Server, startServer } from "./executable.ts";
import type { Unsealed } from "./harness.ts";
import { GOOD_KINDS, type KeyKind, openGpg, pgpKey } from "./pgp-keys.ts";
import { ATTEMPT, countOf, must, UPDATE } from "./share-ceremony.ts";

setDefaultTimeout(120_000);

const args = ["--storage", `file:${newFolder()}/store`];
let server: Server;
let known: Unsealed;
const added: string[] = [];
beforeAll(async () => {
  server = await startServer({ args });
  known = await server.initAndUnseal(3, 3);
  await Promise.all(GOOD_KINDS.map((kind) => pgpKey(kind)));
});
afterAll(() => server.stop());

test.each([...GOOD_KINDS])("%s", async (kind: KeyKind) => {
  const { armored, secret, fingerprint } = await pgpKey(kind);
  const { body: started } = await must(server.call("PUT", ATTEMPT, { token: known.token, body: { pgp_key: armored } }));
  expect(started).toMatchObject({ started: true, progress: 0, pgp_fingerprint: fingerprint });
  const [first = "", second = "", third = ""] = known.keys;
  for (const key of [first, second]) await must(server.call("PUT", UPDATE, { body: { key } }));
  const { body } = await must(server.call("PUT", UPDATE, { body: { key: third, pgp_fingerprint: fingerprint } }));
  expect(body).toMatchObject({ complete: true, pgp_fingerprint: fingerprint });

  await using gpg = await openGpg(secret);
  const text = await gpg.decrypt(Uint8Array.fromBase64(String(body["key"])));
  expect(text).toMatch(/^[A-Za-z0-9+/]{44}$/);
  added.push(text);
  expect(await countOf(server)).toBe(3 + added.length);

  await server.stop();
  server = await startServer({ args });
  // As gpg gave it, in base64, together with shares of before.
  await server.unseal([text, first, third]);
  expect(await countOf(server)).toBe(3 + added.length);
});

test("shares from gpg alone open it, too", async () => {
  await server.stop();
  server = await startServer({ args });
  await server.unseal(added.slice(-3));
  const { body } = await must(server.call("GET", "auth/token/lookup-self", { token: known.token }));
  expect(body["data"]).toMatchObject({ policies: ["root"] });
});
