/** PGP keys as the command line takes them: `generate-share --pgp-key`, `init --pgp-keys` and `--root-token-pgp-key`. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { keyFile, openCeremony } from "./cli/ceremony.ts";
import { coffer, fileOf } from "./cli/spawn.ts";
import { EXECUTABLE, newFolder, startServer } from "./executable.ts";
import { openGpg, pgpKey } from "./pgp-keys.ts";

// Making the first keys takes long on a slow machine.
setDefaultTimeout(60_000);

describe("the PGP key", () => {
  test("comes armored, binary, in base64 of either, or on standard input", async () => {
    await using ceremony = await openCeremony();
    const { armored, binary, fingerprint } = await pgpKey("curve25519");
    const base64 = (bytes: Uint8Array) => bytes.toBase64().replace(/(.{76})/g, "$1\r\n");
    const forms = [
      armored,
      `\ufeffOf Grace\r\n${armored}`,
      binary,
      base64(binary),
      base64(new TextEncoder().encode(armored)),
    ];
    for (const form of forms) {
      const { stdout } = await ceremony.run(["start", "--pgp-key", fileOf("key", form), "-format=json"]);
      expect(JSON.parse(stdout)).toMatchObject({ started: true, pgp_fingerprint: fingerprint });
      await ceremony.run(["cancel"]);
    }
    expect((await ceremony.run(["start", "--pgp-key", "-"], binary)).code).toBe(0);
  });

  test("that is private, or is not one, is refused before anything is sent", async () => {
    const { armored, secret } = await pgpKey("curve25519");
    const other = await pgpKey("nistp256");
    await using gpg = await openGpg(secret);
    const binarySecret = await gpg.run(["--export-secret-keys"]);
    const refused = [
      [secret, "holds a private PGP key"],
      [binarySecret, "holds a private PGP key"],
      [armored + secret, "holds a private PGP key"],
      [armored + other.armored, "holds several PGP keys"],
      ["", "holds no PGP public key"],
      [`${armored.slice(0, 200)}\n`, "holds no PGP public key"],
    ] as const;
    // Nobody listens there: whoever asked it would say so.
    const env = { COFFER_ADDR: "http://127.0.0.1:1" };
    for (const [content, said] of refused) {
      const path = fileOf("key.asc", content);
      const { code, stderr } = await coffer(["operator", "generate-share", "start", "--pgp-key", path], { env });
      expect({ code, stderr }).toMatchObject({ code: 1 });
      expect(stderr).toStartWith(`coffer: ${path} ${said}\ncoffer: hint: export the holder's public key`);
    }
  });

  test("that a server puts in the place of the one sent is noticed", async () => {
    const other = {
      started: true,
      progress: 0,
      required: 3,
      key: "",
      pgp_fingerprint: "ab".repeat(20),
      complete: false,
    };
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: ({ url }) =>
        url.endsWith("seal-status")
          ? Response.json({ type: "shamir", initialized: true, sealed: false, t: 3, n: 5, progress: 0 })
          : Response.json(other),
    });
    const env = { COFFER_ADDR: server.url.origin };
    const { code, stderr } = await coffer(["operator", "generate-share", "start", "--pgp-key", await keyFile()], {
      env,
    });
    expect(code).toBe(2);
    expect(stderr).toStartWith("coffer: the server answered for another PGP key: ABAB ABAB");
  });
});

describe("init with PGP keys", () => {
  test("sends them in Vault's form, and prints ciphertexts that their holders decrypt", async () => {
    await using server = await startServer({ args: ["--storage", `file:${newFolder()}/store`] });
    const [ada, bob] = await Promise.all([pgpKey("curve25519"), pgpKey("nistp256")]);
    const files = [fileOf("ada.asc", ada.armored), fileOf("bob.gpg", bob.binary)];
    const sizes = ["-key-shares=2", "-key-threshold=2"];
    const options = [`-pgp-keys=${files.join(",")}`, `-root-token-pgp-key=${files[0]}`];
    const { stdout, code } = await coffer(["operator", "init", ...sizes, ...options], {
      env: { COFFER_ADDR: server.url },
      program: [EXECUTABLE],
    });
    expect(code).toBe(0);
    expect(stdout).toContain("\nEach unseal key above is encrypted to the PGP key at its place in --pgp-keys.\n");
    expect(stdout).toContain("\nThe root token above is encrypted to the PGP key of --root-token-pgp-key.\n");
    const texts = Array.from(
      stdout.matchAll(/^(?:Unseal Key \d|Initial Root Token): (\S+)$/gm),
      ([, text = ""]) => text,
    );
    const ciphertexts = texts.map((text) => Uint8Array.fromBase64(text));
    expect(ciphertexts).toHaveLength(3);
    await using gpg = await openGpg(ada.secret, bob.secret);
    const [first = "", second = "", token = ""] = await Promise.all(ciphertexts.map((text) => gpg.decrypt(text)));
    await server.unseal([first, second]);
    expect((await server.call("GET", "sys/mounts", { token })).status).toBe(200);
  });

  test("leaves their number to the server, and refuses what is no file", async () => {
    await using server = await startServer({ args: ["--storage", `file:${newFolder()}/store`] });
    const env = { COFFER_ADDR: server.url };
    const one = await coffer(["operator", "init", `-pgp-keys=${await keyFile()}`], { env });
    expect(one.code).toBe(2);
    expect(one.stderr).toContain("\n* invalid seal configuration: ");
    const keybase = await coffer(["operator", "init", "-pgp-keys=keybase:ada,keybase:bob"], { env });
    expect(keybase).toMatchObject({ code: 1, stdout: "" });
    expect(keybase.stderr).toStartWith("coffer: keys are not fetched from keybase.io\ncoffer: hint: export");
    expect((await server.call("GET", "sys/init")).body).toEqual({ initialized: false });
  });
});
