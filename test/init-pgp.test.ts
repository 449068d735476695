/** `sys/init` with PGP keys: each share for its holder, the root token for its own; a bad key makes no coffer. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { startCoffer } from "./harness.ts";
import { type KeyKind, openGpg, pgpKey } from "./pgp-keys.ts";
import { contentOf, generateShare, must, registerIn, type SoftKey, softKey } from "./share-ceremony.ts";

setDefaultTimeout(120_000);

interface Made {
  readonly keys: readonly string[];
  readonly keys_base64: readonly string[];
  readonly root_token: string;
}

let holder: SoftKey;
beforeAll(async () => void (holder = await softKey()));

const settings = (shares: number, threshold: number, more: object) => ({
  secret_shares: shares,
  secret_threshold: threshold,
  ...more,
});

async function init(store: Map<string, Uint8Array>, body: object) {
  const server = await startCoffer({ store });
  const answer = await server.call("PUT", "sys/init", { body });
  return { server, answer, made: answer.body as unknown as Made };
}

describe("init with PGP keys", () => {
  test("gives hex and base64 of messages, in which gpg finds the hex of the shares, and the token", async () => {
    const kinds: readonly KeyKind[] = ["rsa2048", "curve25519", "nistp256"];
    const keys = await Promise.all(kinds.map(pgpKey));
    const forToken = await pgpKey("nistp384");
    const pgp_keys = keys.map(({ armored, binary }, index) => (index === 1 ? armored : binary.toBase64()));
    const store = new Map<string, Uint8Array>();
    const body = settings(3, 2, { pgp_keys, root_token_pgp_key: Buffer.from(forToken.armored).toString("base64") });
    const { server, answer, made } = await init(store, body);
    await using _ = server;
    expect(answer.status).toBe(200);
    expect(Object.keys(made)).toEqual(["keys", "keys_base64", "root_token"]);
    expect(made.keys_base64.map((text) => Buffer.from(text, "base64").toString("hex"))).toEqual([...made.keys]);
    const shares = await Promise.all(
      keys.map(async ({ secret }, index) => {
        await using gpg = await openGpg(secret);
        return await gpg.decrypt(Uint8Array.fromHex(made.keys[index] ?? ""));
      }),
    );
    for (const share of shares) expect(share).toMatch(/^[0-9a-f]{66}$/);
    await using gpg = await openGpg(forToken.secret);
    const token = await gpg.decrypt(Uint8Array.fromBase64(made.root_token));
    expect(token).toMatch(/^hvs\.[A-Za-z0-9]{24}$/);
    await server.unseal(shares.slice(1));
    await must(server.call("GET", "auth/token/lookup-self", { token }));
    const register = await registerIn(store, shares.slice(0, 2));
    expect(register.shares.map(({ recipient }) => recipient)).toEqual(keys.map(({ fingerprint }) => fingerprint));
    expect(await generateShare(server, token, shares.slice(1), holder)).toHaveLength(66);
    for (const secret of [...shares, token]) expect(server.log.lines.join("\n")).not.toContain(secret);
  });

  test("keys for the shares alone, or for the token alone", async () => {
    const shares = await init(new Map(), settings(2, 2, { pgp_keys: [holder.armored, holder.armored] }));
    await using _one = shares.server;
    expect(shares.made.root_token).toMatch(/^hvs\./);
    const texts = await Promise.all(shares.made.keys_base64.map((key) => holder.decrypt(key)));
    await shares.server.unseal(texts);

    const token = await init(new Map(), settings(2, 2, { root_token_pgp_key: holder.armored }));
    await using _two = token.server;
    await token.server.unseal(token.made.keys);
    const text = await holder.decrypt(token.made.root_token);
    await must(token.server.call("GET", "auth/token/lookup-self", { token: text }));
  });

  test("one share of one: the message holds the key itself", async () => {
    const { server, made } = await init(new Map(), settings(1, 1, { pgp_keys: [holder.armored] }));
    await using _ = server;
    const text = await holder.decrypt(made.keys_base64[0]);
    expect(text).toMatch(/^[0-9a-f]{64}$/);
    await server.unseal([text]);
  });

  test("255 keys", async () => {
    const pgp_keys = Array.from({ length: 255 }, () => holder.armored);
    const { server, made } = await init(new Map(), settings(255, 100, { pgp_keys }));
    await using _ = server;
    const shares = await Promise.all(made.keys_base64.map((key) => holder.decrypt(key)));
    expect(new Set(shares.map((share) => share.slice(-2))).size).toBe(255);
    await server.unseal(shares.slice(155));
  });
});

describe("init is refused, and the store stays as empty as it was", () => {
  const PREFIX = "error parsing given PGP key:";
  const COUNT = "invalid seal configuration: count mismatch between number of provided PGP keys and number of shares";
  const bad: readonly (readonly [KeyKind, string])[] = [
    ["sign-only", "the PGP key cannot encrypt"],
    ["expired", "the PGP key has expired"],
    ["revoked", "the PGP key is revoked"],
    ["revoked subkey", "the PGP key cannot encrypt"],
    ["rsa1024", "the PGP key is too weak"],
    ["DSA and ElGamal", "the PGP key uses DSA or ElGamal"],
  ];

  async function refused(body: object): Promise<string> {
    const store = new Map<string, Uint8Array>();
    const { server, answer } = await init(store, body);
    await using _ = server;
    expect(answer.status).toBe(400);
    expect(contentOf(store)).toEqual({});
    expect((await server.call("GET", "sys/init")).body).toEqual({ initialized: false });
    const good = { pgp_keys: [holder.armored, holder.armored], root_token_pgp_key: holder.armored };
    // And it can be initialised with good keys.
    await must(server.call("PUT", "sys/init", { body: settings(2, 2, good) }));
    return String((answer.body["errors"] as unknown[])[0]);
  }

  test.each(bad)("a key of the kind: %s", async (kind, why) => {
    const { armored } = await pgpKey(kind);
    const shares = settings(2, 2, { pgp_keys: [holder.armored, armored] });
    expect(await refused(shares)).toStartWith(`${PREFIX} pgp_keys[1]: ${why}`);
    const token = settings(2, 2, { pgp_keys: [holder.armored, holder.armored], root_token_pgp_key: armored });
    expect(await refused(token)).toStartWith(`${PREFIX} root_token_pgp_key: ${why}`);
  });

  test("what is no key, two keys, a private key, a large one", async () => {
    const [one, other] = await Promise.all([pgpKey("curve25519"), pgpKey("nistp256")]);
    const texts = [
      ["no key", "the PGP key could not be parsed"],
      ["", "the PGP key could not be parsed"],
      [one.armored + other.armored, "one PGP key is needed, not several"],
      [one.secret, "this is a private PGP key"],
      ["A".repeat(1024 * 1024), "the PGP key is too large: export it by gpg --export-options export-minimal"],
    ] as const;
    for (const [text, why] of texts) {
      const said = await refused(settings(2, 2, { pgp_keys: [text, holder.armored] }));
      expect(said).toStartWith(`${PREFIX} pgp_keys[0]: ${why}`);
    }
    expect(await refused(settings(2, 2, { root_token_pgp_key: one.armored + other.armored }))).toContain("not several");
  });

  test("more keys or fewer than shares", async () => {
    for (const count of [1, 3]) {
      const pgp_keys = Array.from({ length: count }, () => holder.armored);
      expect(await refused(settings(2, 2, { pgp_keys }))).toBe(COUNT);
    }
  });

  test("never with a key, or a part of it, in the answer or in the log", async () => {
    const { secret } = await pgpKey("curve25519");
    const store = new Map<string, Uint8Array>();
    const { server, answer } = await init(store, settings(1, 1, { pgp_keys: [secret] }));
    await using _ = server;
    for (const line of secret.split("\n").filter(({ length }) => length > 40)) {
      expect(answer.text + server.log.lines.join("\n")).not.toContain(line);
    }
  });
});
