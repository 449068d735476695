/** TLS of the executable: versions, client certificates, and certificates that are replaced while it runs. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import { type Certificate, makeCertificates, pemOf, selfSigned } from "../cli/certificates.ts";
import { coffer } from "../cli/spawn.ts";
import { newFolder } from "../executable.ts";
import { startSecure } from "./secure-server.ts";

const made = makeCertificates();

/** What a request is answered with, and who the server says it is; undefined when there is no answer. */
function ask(port: number, options: ConnectionOptions): Promise<{ text: string; name: string } | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, ...options });
    let [text, name] = ["", ""];
    socket.on("secureConnect", () => (name = String(socket.getPeerCertificate().subject.CN)));
    socket.on("data", (bytes) => (text += bytes.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text === "" ? undefined : { text, name }));
    socket.write("GET /v1/sys/seal-status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  });
}

describe("versions", () => {
  // Of openssl, which speaks old ones when it is told to.
  test.each([
    ["tls1_1", false],
    ["tls1_2", true],
    ["tls1_3", true],
  ])("%s", async (version, isSpoken) => {
    await using running = await startSecure(made);
    const args = ["s_client", `-${version}`, "-cipher", "DEFAULT@SECLEVEL=0", "-CAfile", made.authority.cert];
    const { stdout } = spawnSync("openssl", [...args, "-connect", `127.0.0.1:${running.server.port}`], { input: "" });
    expect(/Cipher is (?!\(NONE\))/.test(String(stdout))).toBe(isSpoken);
    if (isSpoken) expect(String(stdout)).toContain("Verification: OK");
  });

  test("no other protocol than HTTP/1.1 is agreed on", async () => {
    await using running = await startSecure(made);
    const socket = connect({
      host: "127.0.0.1",
      port: running.server.port,
      ca: running.ca,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    expect(socket.alpnProtocol).toBe("http/1.1");
    socket.destroy();
  });

  test("requests in the clear are not answered", async () => {
    await using running = await startSecure(made);
    const socket = connectPlain(running.server.port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString("latin1")));
    socket.on("error", () => undefined);
    socket.write("GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(text).not.toContain("HTTP/1.1 ");
  });
});

describe("client certificates", () => {
  const foreign = selfSigned(newFolder(), "foreign");
  const ca = `tls_client_ca_file = "${made.authority.cert}"`;
  const required = "tls_require_and_verify_client_cert = true";

  test.each([
    ["not asked for: none", [], undefined, true],
    ["not asked for: a foreign one", [], foreign, true],
    ["optional: none", [ca], undefined, true],
    ["optional: a good one", [ca], made.client, true],
    ["optional: a foreign one", [ca], foreign, false],
    ["optional: an expired one", [ca], made.expired, false],
    ["required: none", [ca, required], undefined, false],
    ["required: a good one", [ca, required], made.client, true],
    ["required: a foreign one", [ca, required], foreign, false],
    ["required: an expired one", [ca, required], made.expired, false],
  ] as const)("%s", async (_name, lines, certificate: Certificate | undefined, isAnswered) => {
    await using running = await startSecure(made, lines);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const shown = certificate === undefined ? {} : pemOf(certificate);
      const answer = await ask(running.server.port, { ca: running.ca, maxVersion, ...shown });
      expect(answer?.text.startsWith("HTTP/1.1 200") ?? false).toBe(isAnswered);
    }
  });
});

test("the command line is served, by the authority and the certificate that it is given", async () => {
  const lines = [`tls_client_ca_file = "${made.authority.cert}"`, "tls_require_and_verify_client_cert = true"];
  await using running = await startSecure(made, lines);
  const shown = [`-client-cert=${made.client.cert}`, `-client-key=${made.client.key}`];
  const isTold = async (options: readonly string[]) =>
    (await coffer(["status", `-address=https://127.0.0.1:${running.server.port}`, ...options])).stdout.includes(
      "Sealed",
    );
  expect(await isTold([`-ca-cert=${made.authority.cert}`, ...shown])).toBe(true);
  expect(await isTold([`-ca-cert=${made.authority.cert}`])).toBe(false);
  expect(await isTold(shown)).toBe(false);
});

describe("SIGHUP", () => {
  const has = (lines: readonly { readonly msg?: unknown }[], text: string) =>
    lines.filter(({ msg }) => msg === text).length;

  async function hangUp({ server }: Awaited<ReturnType<typeof startSecure>>): Promise<void> {
    const ends = () => has(server.log, "reloaded") + has(server.log, "could not reload: it goes on as it was");
    const before = ends();
    server.signal("SIGHUP");
    await server.until(() => ends() !== before);
  }

  test("under load: no request fails, and connections that begin then see the new certificate", async () => {
    await using running = await startSecure(made);
    const { server, ca } = running;
    const stopped = new AbortController();
    const answered: Response[] = [];
    const clients = Array.from({ length: 8 }, async (_, index) => {
      while (!stopped.signal.aborted) {
        // Half of them on connections that are kept, half on new ones.
        const headers: Record<string, string> = index % 2 === 0 ? {} : { connection: "close" };
        const response = await fetch(`https://localhost:${server.port}/v1/sys/seal-status`, {
          headers,
          tls: { ca, checkServerIdentity: () => undefined },
        });
        expect(response.status).toBe(200);
        await response.arrayBuffer();
        answered.push(response);
      }
    });
    const some = async () => {
      const enough = answered.length + 50;
      await server.until(() => answered.length >= enough);
    };
    for (const [certificate, name] of [
      [made.named, "named"],
      [made.server, "server"],
      [made.named, "named"],
    ] as const) {
      await some();
      running.replace(certificate);
      await hangUp(running);
      const answer = await ask(server.port, { ca, checkServerIdentity: () => undefined });
      expect(answer?.name).toBe(name);
      await some();
    }
    stopped.abort();
    await Promise.all(clients);
  });

  test.each([
    ["a file that is no certificate", (files: Certificate) => writeFileSync(files.cert, "nonsense")],
    ["a key of another certificate", (files: Certificate) => writeFileSync(files.key, pemOf(made.named).key)],
  ])("with %s keeps the certificate that it has", async (_name, breakIt) => {
    await using running = await startSecure(made);
    breakIt(running.files);
    await hangUp(running);
    expect(has(running.server.log, "could not reload: it goes on as it was")).toBe(1);
    expect((await ask(running.server.port, { ca: running.ca }))?.name).toBe("server");
    running.replace(made.named);
    await hangUp(running);
    expect((await ask(running.server.port, { ca: running.ca, checkServerIdentity: () => undefined }))?.name).toBe(
      "named",
    );
  });
});

test("SIGTERM answers every request whose head was read", async () => {
  await using running = await startSecure(made);
  const { server, ca } = running;
  const { token } = await server.initAndUnseal();
  await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
  const begun = Array.from({ length: 20 }, (_, index) => {
    const socket = connect({ host: "127.0.0.1", port: server.port, ca });
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString("latin1")));
    socket.on("error", () => undefined);
    const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
    const head = [`PUT /v1/kv/${index} HTTP/1.1`, "Host: x", `X-Vault-Token: ${token}`, "Expect: 100-continue"];
    socket.write([...head, "Content-Length: 7", "", ""].join("\r\n"));
    const asked = new Promise((resolve) => socket.once("data", resolve));
    return { socket, closed, asked };
  });
  await Promise.all(begun.map(({ asked }) => asked));
  server.signal("SIGTERM");
  await server.until(() => server.log.some(({ msg }) => msg === "stopping"));
  for (const { socket } of begun) socket.write('{"a":1}');
  for (const { closed } of begun) {
    const text = await closed;
    expect(text).toStartWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204");
    expect(text).toContain("connection: close\r\n");
  }
  expect(await server.exited).toBe(0);
});
