/** The requests of the document of generate-share as they stand there, sent by a real curl to a server in dev mode. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, type Server, startServer } from "./executable.ts";
import { openGpg, type PgpKey, pgpKey } from "./pgp-keys.ts";
import { countOf } from "./share-ceremony.ts";

setDefaultTimeout(120_000);

const READ = `curl \\
    https://vault.rocks/v1/sys/generate-share/attempt`;
const START = `curl \\
    --request PUT \\
    --data payload.json \\
    https://vault.rocks/v1/sys/generate-share/attempt    `;
const CANCEL = `curl \\
    --request DELETE \\
    https://vault.rocks/v1/sys/generate-share/attempt`;
const GIVE = `curl \\
    --request PUT \\
    --data payload.json \\
    https://vault.rocks/v1/sys/generate-share/update`;

const folder = newFolder();
let server: Server;
let key: PgpKey;
let shares: readonly string[];
beforeAll(async () => {
  key = await pgpKey("curve25519");
  server = await startServer({ args: ["--dev"] });
  shares = [...server.stdout.matchAll(/^ {2}Unseal Key \d: (\S+)$/gm)].map(([, share = ""]) => share);
  expect(shares).toHaveLength(3);
});
afterAll(() => server.stop());

/** Runs a line of the document, with this server's address and the `@` that it forgot. Returns status and body. */
async function curl(line: string, payload?: unknown): Promise<{ status: string; text: string; body: unknown }> {
  if (payload !== undefined) writeFileSync(join(folder, "payload.json"), JSON.stringify(payload));
  const command = line.replace("https://vault.rocks", server.url).replace("payload.json", "@payload.json").trim();
  const child = Bun.spawn(
    ["sh", "-c", `${command} --silent --show-error --write-out '\\n%{http_code} %{content_type}'`],
    {
      cwd: folder,
      stdout: "pipe",
    },
  );
  const output = await child.stdout.text();
  const end = output.lastIndexOf("\n");
  const text = output.slice(0, end);
  return { status: output.slice(end + 1), text, body: text.trim() === "" ? undefined : JSON.parse(text) };
}

const OK = "200 application/json";
const idle = { started: false, progress: 0, required: 2, key: "", pgp_fingerprint: "", complete: false };

test("read, start, read, cancel, start again, give shares, and gpg opens the new one", async () => {
  const started = { ...idle, started: true, pgp_fingerprint: key.fingerprint };
  expect(await curl(READ)).toMatchObject({ status: OK, body: idle });
  expect(await curl(START, { "pgp-key": key.armored })).toMatchObject({ status: OK, body: started });
  expect(await curl(READ)).toMatchObject({ status: OK, body: started });
  expect(await curl(START, { "pgp-key": key.armored })).toMatchObject({
    status: "400 application/json",
    body: { errors: ["share generation already in progress"] },
  });
  expect(await curl(CANCEL)).toMatchObject({ status: expect.stringMatching(/^204 /), text: "" });
  expect(await curl(READ)).toMatchObject({ body: idle });
  // As the parameter is called in the document's text, base64-encoded.
  expect(await curl(START, { pgp_key: key.binary.toBase64() })).toMatchObject({ status: OK, body: started });
  expect(await curl(GIVE, { key: "acbd1234" })).toMatchObject({ status: expect.stringMatching(/^400 /) });
  expect(await curl(GIVE, { key: shares[0] })).toMatchObject({ status: OK, body: { ...started, progress: 1 } });
  const { status, body } = await curl(GIVE, { key: shares[2] });
  expect(status).toBe(OK);
  expect(body).toEqual({
    ...started,
    progress: 2,
    complete: true,
    key: expect.stringMatching(/^wV4[A-Za-z0-9+/]+=*$/),
  });
  expect(await curl(READ)).toMatchObject({ body: idle });

  await using gpg = await openGpg(key.secret);
  const message = (body as { key: string }).key;
  const share = await gpg.decrypt(Uint8Array.fromBase64(message));
  expect(Buffer.from(share, "base64")).toHaveLength(33);
  expect(await countOf(server)).toBe(4);
});

test("without the @ the body is no JSON, which is said; nothing is started", async () => {
  const command = START.replace("https://vault.rocks", server.url).trim();
  const child = Bun.spawn(["sh", "-c", `${command} --silent`], { stdout: "pipe" });
  expect(JSON.parse(await child.stdout.text())).toHaveProperty("errors");
  expect(await curl(READ)).toMatchObject({ body: idle });
});
