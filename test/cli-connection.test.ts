/** How the client reaches its server: TLS, Unix sockets, and what it says when it cannot. */

import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificates, pemOf, selfSigned } from "./cli/certificates.ts";
import { SECRET, serveOnPort, serveOnSocket, TOKEN } from "./cli/reachable-server.ts";
import { coffer, type Outcome } from "./cli/spawn.ts";
import { EXECUTABLE, newFolder, type Server } from "./executable.ts";

const made = makeCertificates();
const CA = made.authority.cert;
const servers = await Promise.all([
  serveOnPort({ certificate: made.server }),
  serveOnPort({ certificate: made.named }),
  serveOnPort({ certificate: made.expired }),
  serveOnPort({ certificate: made.server, clients: { authority: CA, one: made.client } }),
  serveOnPort(),
]);
const [secure, named, expired, choosy, plain] = servers;
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

type Env = Readonly<Record<string, string>>;

/** Asks for the secret by the executable; `options` stand between the command and the path. */
function get({ url }: Pick<Server, "url">, options: readonly string[] = [], env: Env = {}): Promise<Outcome> {
  return coffer(["kv", "get", ...options, "-field=user", "secret/app"], {
    env: { VAULT_ADDR: url, VAULT_TOKEN: TOKEN, ...env },
    program: [EXECUTABLE],
  });
}

const GOT = { code: 0, stdout: SECRET, stderr: "" };

/** What the client prints when it fails; every certificate error ends in the third line. */
function failed(problem: string, ...hints: readonly string[]) {
  const lines = [`error reading secret/app: ${problem}`, ...hints.map((hint) => `hint: ${hint}`)];
  return { code: 2, stdout: "", stderr: lines.map((line) => `coffer: ${line}\n`).join("") };
}

const SKIP = "-tls-skip-verify connects all the same, and whoever answers gets the token and every secret";
const NAME_CA = "name the file of its authority's certificate: -ca-cert FILE (COFFER_CACERT, VAULT_CACERT)";

describe("over TLS", () => {
  test.each([
    ["-ca-cert=FILE", [`-ca-cert=${CA}`]],
    ["-ca-cert FILE", ["-ca-cert", CA]],
    ["--ca-cert=FILE", [`--ca-cert=${CA}`]],
    ["--ca-cert FILE", ["--ca-cert", CA]],
    ["-ca-path=FOLDER", [`-ca-path=${made.folder}`]],
    ["--ca-path FOLDER", ["--ca-path", made.folder]],
    ["-tls-skip-verify", ["-tls-skip-verify"]],
    ["--tls-skip-verify", ["--tls-skip-verify"]],
    ["-tls-skip-verify=true", ["-tls-skip-verify=true"]],
  ])("a server is trusted by %s", async (_, options) => expect(await get(secure, options)).toEqual(GOT));

  test.each<[string, Env]>([
    ["VAULT_CACERT", { VAULT_CACERT: CA }],
    ["VAULT_CAPATH", { VAULT_CAPATH: made.folder }],
    ["VAULT_SKIP_VERIFY", { VAULT_SKIP_VERIFY: "true" }],
    ["COFFER_CACERT over VAULT_CACERT", { COFFER_CACERT: CA, VAULT_CACERT: "/nowhere" }],
    ["COFFER_CAPATH over VAULT_CACERT", { COFFER_CAPATH: made.folder, VAULT_CACERT: "/nowhere" }],
    ["COFFER_SKIP_VERIFY over VAULT_SKIP_VERIFY", { COFFER_SKIP_VERIFY: "1", VAULT_SKIP_VERIFY: "false" }],
    ["VAULT_CACERT over VAULT_CAPATH", { VAULT_CACERT: CA, VAULT_CAPATH: "/nowhere" }],
  ])("a server is trusted by %s", async (_, env) => expect(await get(secure, [], env)).toEqual(GOT));

  test("a flag that is taken back is over a variable", async () => {
    const { code, stdout } = await get(secure, ["-tls-skip-verify=false"], { VAULT_SKIP_VERIFY: "true" });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("flags are over variables", async () => {
    const wrong = { COFFER_CACERT: "/nowhere", COFFER_SKIP_VERIFY: "neither", COFFER_ADDR: plain.url };
    const flags = [`-address=${secure.url}`, `-ca-path=${made.folder}`];
    expect(await get(secure, [...flags, "-tls-skip-verify"], wrong)).toEqual(GOT);
    expect(
      await get(named, [`-ca-cert=${CA}`, "-tls-server-name=coffer.example"], { VAULT_TLS_SERVER_NAME: "x" }),
    ).toEqual(GOT);
  });

  test("a certificate that signed itself is trusted where it is named", async () => {
    const own = selfSigned(newFolder(), "self");
    await using server = await serveOnPort({ certificate: own });
    expect(await get(server, [`-ca-cert=${own.cert}`])).toEqual(GOT);
    expect(await get(server, [`-ca-cert=${CA}`])).toEqual(
      failed(
        `the certificate of ${server.url} is not signed by one of ${CA} (DEPTH_ZERO_SELF_SIGNED_CERT)`,
        NAME_CA,
        SKIP,
      ),
    );
  });

  test("an unknown authority is refused", async () => {
    const problem = `the certificate of ${secure.url} is signed by an authority that is not known here (UNABLE_TO_VERIFY_LEAF_SIGNATURE)`;
    expect(await get(secure)).toEqual(failed(problem, NAME_CA, SKIP));
    expect(await get(secure, [], { VAULT_SKIP_VERIFY: "false" })).toEqual(failed(problem, NAME_CA, SKIP));
  });

  test("an expired certificate is refused", async () => {
    const hint = "renew it on the server; is this machine's clock right?";
    expect(await get(expired, [`-ca-cert=${CA}`])).toEqual(
      failed(`the certificate of ${expired.url} has expired`, hint, SKIP),
    );
  });

  test("a certificate for another name is refused, unless that name is said", async () => {
    const hint = "ask by a name that it is for, or say that name: -tls-server-name NAME (COFFER_TLS_SERVER_NAME)";
    const trust = `-ca-cert=${CA}`;
    expect(await get(named, [trust])).toEqual(
      failed(`the certificate of ${named.url} is not for 127.0.0.1`, hint, SKIP),
    );
    expect(await get(secure, [trust, "-tls-server-name=other.example"])).toEqual(
      failed(`the certificate of ${secure.url} is not for other.example`, hint, SKIP),
    );
    expect(await get(named, [trust, "--tls-server-name", "coffer.example"])).toEqual(GOT);
    expect(await get(named, [trust], { VAULT_TLS_SERVER_NAME: "coffer.example" })).toEqual(GOT);
  });

  test("a server that wants to know the client is shown a certificate", async () => {
    const { cert, key } = made.client;
    expect(await get(choosy, [`-ca-cert=${CA}`, `-client-cert=${cert}`, "--client-key", key])).toEqual(GOT);
    const env = { VAULT_CACERT: CA, VAULT_CLIENT_CERT: cert, COFFER_CLIENT_KEY: key };
    expect(await get(choosy, [], env)).toEqual(GOT);
    expect(await get(choosy, [`-ca-cert=${CA}`])).toEqual(
      failed(
        `${choosy.url} did not complete the TLS handshake`,
        `if the server speaks plain http, set COFFER_ADDR=http://127.0.0.1:${choosy.port}`,
        "if it asks for a certificate of the client, give -client-cert FILE and -client-key FILE",
      ),
    );
  });

  test.each(["wrong authority", "wrong name", "expired"])("nothing is sent to a server with the %s", async (which) => {
    const certificate = { "wrong authority": made.server, "wrong name": made.named, expired: made.expired }[which];
    if (certificate === undefined) throw new Error("no such certificate");
    // No server of ours tells how many bytes came from a client that left again: what is sent must be counted here.
    let received = 0;
    const closed = Promise.withResolvers<void>();
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls: pemOf(certificate),
      socket: {
        data: (_, bytes) => void (received += bytes.length),
        close: () => closed.resolve(),
      },
    });
    const address = `https://127.0.0.1:${listener.port}`;
    const { code } = await get({ url: address }, which === "wrong authority" ? [] : [`-ca-cert=${CA}`]);
    await closed.promise;
    listener.stop(true);
    expect({ code, received }).toEqual({ code: 2, received: 0 });
  });
});

describe("a mistake in the settings", () => {
  const EMPTY = join(newFolder(), "empty.pem");
  writeFileSync(EMPTY, "");

  test.each([
    [["-ca-cert=/nowhere.pem"], "--ca-cert: cannot read /nowhere.pem: no such file"],
    [["-ca-path=/nowhere"], "--ca-path: cannot read the folder /nowhere: no such file"],
    [[`-ca-cert=${EMPTY}`], `--ca-cert: no certificate in ${EMPTY}`],
    [[`-ca-cert=${made.server.key}`], `--ca-cert: no certificate in ${made.server.key}`],
    [[`-client-cert=${made.client.cert}`], "--client-cert is of no use alone: a certificate and its key go together"],
    [[`-client-key=${made.client.key}`], "--client-key is of no use alone: a certificate and its key go together"],
    [
      [`-client-cert=${made.client.cert}`, `-client-key=${made.client.cert}`],
      `--client-key: no private key in ${made.client.cert}`,
    ],
    [
      [`-client-cert=${made.client.cert}`, `-client-key=${made.server.key}`],
      "the key of --client-key is not that of the certificate of --client-cert",
    ],
  ])("is named: %s", async (options, problem) => {
    const { code, stdout, stderr } = await get(secure, options);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toStartWith(`coffer: ${problem}\ncoffer: hint: `);
  });

  test("is named by its variable", async () => {
    const { code, stderr } = await get(secure, [], { VAULT_SKIP_VERIFY: "maybe" });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        "coffer: VAULT_SKIP_VERIFY is neither true nor false\n" +
        "coffer: hint: set VAULT_SKIP_VERIFY to true or false, or unset it\n",
    });
  });
});

describe("the wrong protocol", () => {
  test("https where no TLS is spoken", async () => {
    const address = plain.url.replace("http:", "https:");
    const { stderr } = await get({ url: address });
    expect(stderr).toStartWith(`coffer: error reading secret/app: ${address} did not complete the TLS handshake\n`);
    expect(stderr).toContain(`coffer: hint: if the server speaks plain http, set COFFER_ADDR=${plain.url}\n`);
  });

  test("http where TLS is spoken", async () => {
    const address = secure.url.replace("https:", "http:");
    expect(await get({ url: address })).toEqual(
      failed(
        `the connection to ${address} broke (ECONNRESET)`,
        `if the server speaks https, set COFFER_ADDR=${secure.url}`,
      ),
    );
  });

  test("flags that hold for TLS alone are told, and their variables are not", async () => {
    expect(await get(plain, [`-ca-cert=${CA}`, "-tls-server-name=x"])).toEqual({
      ...GOT,
      stderr: `coffer: warning: -ca-cert, -tls-server-name: not used, for ${plain.url} is reached without TLS\n`,
    });
    expect(await get(plain, ["-tls-skip-verify"], { VAULT_CACERT: "/nowhere" })).toEqual(GOT);
  });
});

describe("without TLS, beyond this machine", () => {
  const ELSEWHERE = "http://coffer.example:8200";
  /** Requests to other machines end at the server of this test. */
  const proxied = { http_proxy: plain.url };
  const warningFor = (address: string) =>
    `coffer: warning: tokens, key shares and secrets cross the network to ${address} in the clear: reach it by https://\n`;

  test.each([ELSEWHERE, "http://192.0.2.1:8200", "http://127.0.0.1.example:8200", "http://[2001:db8::1]:8200"])(
    "%s is warned of once, and used",
    async (address) =>
      expect(await get({ url: address }, [], proxied)).toEqual({ ...GOT, stderr: warningFor(address) }),
  );

  test("programs that read JSON get the warning beside it", async () => {
    const { code, stdout, stderr } = await coffer(["kv", "get", "-format=json", "secret/app"], {
      env: { VAULT_ADDR: ELSEWHERE, VAULT_TOKEN: TOKEN, ...proxied },
      program: [EXECUTABLE],
    });
    expect({ code, data: (JSON.parse(stdout) as { data: unknown }).data, stderr }).toEqual({
      code: 0,
      data: { user: SECRET },
      stderr: warningFor(ELSEWHERE),
    });
  });

  test("a key share is warned of before it is sent", async () => {
    const { stderr } = await coffer(["operator", "unseal", "-"], {
      env: { VAULT_ADDR: ELSEWHERE, ...proxied },
      stdin: "a2V5",
      program: [EXECUTABLE],
    });
    expect(stderr).toStartWith(warningFor(ELSEWHERE));
  });

  test("localhost is this machine, and so is every address in 127.0.0.0/8", async () => {
    for (const host of ["localhost", "127.1.2.3"]) {
      const { stderr } = await get({ url: `http://${host}:1` });
      expect(stderr).toStartWith("coffer: error reading secret/app: ");
    }
  });
});

describe("over a Unix socket", () => {
  test("requests are answered, whatever proxy is set", async () => {
    await using server = await serveOnSocket();
    const env = { http_proxy: plain.url, HTTP_PROXY: plain.url };
    expect(await get(server, [], env)).toEqual(GOT);
    expect(await get(plain, [`--address=${server.url}`])).toEqual(GOT);
    const { stderr } = await get(server, [], { VAULT_TOKEN: "wrong" });
    expect(stderr).toContain(`GET ${server.url}/v1/secret/app answered 403\n`);
  });

  const folder = newFolder();
  const file = join(folder, "file");
  writeFileSync(file, "");
  const long = `/${"x".repeat(200)}`;

  test.each([
    [`unix://${folder}/none`, `no socket at unix://${folder}/none`],
    [`unix://${file}`, `nobody listens at unix://${file}`],
    [`unix://${long}`, `the path in unix://${long} is too long for a socket`],
  ])("what is wrong with %s is said", async (address, problem) => {
    const { code, stderr } = await get({ url: address });
    expect(code).toBe(2);
    expect(stderr).toStartWith(`coffer: error reading secret/app: ${problem}\ncoffer: hint: `);
  });

  test("an address without a whole path is refused", async () => {
    const { code, stderr } = await get({ url: "unix://coffer.sock" });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        "coffer: the address of VAULT_ADDR names no socket by its whole path\n" +
        "coffer: hint: give it as https://HOST:PORT, http://HOST:PORT or unix:///PATH\n",
    });
  });
});
