/** What the tests of `coffer operator generate-share` stand on: a server, its command line, and the new holder's gpg. */

import { EXECUTABLE, newFolder, type Server, startServer } from "../executable.ts";
import type { Unsealed } from "../harness.ts";
import { openGpg, pgpKey } from "../pgp-keys.ts";
import { type Exchange, onTerminal } from "./pty.ts";
import { coffer, fileOf } from "./spawn.ts";

export interface Ceremony extends AsyncDisposable {
  readonly server: Server;
  readonly unsealed: Unsealed;
  readonly folder: string;
  /** Runs the command line with the root token, without a terminal. */
  run(args: readonly string[], stdin?: string | Uint8Array): ReturnType<typeof coffer>;
  /** The same on a terminal. */
  type(args: readonly string[], exchanges: readonly Exchange[]): ReturnType<typeof onTerminal>;
  progress(): Promise<unknown>;
}

/** An unsealed server on file storage with five shares, three of which open it. */
export async function openCeremony(): Promise<Ceremony> {
  const folder = newFolder();
  const server = await startServer({ args: ["--storage", `file:${folder}/store`] });
  const unsealed = await server.initAndUnseal(5, 3);
  const env = { COFFER_ADDR: server.url, COFFER_TOKEN: unsealed.token };
  const command = (args: readonly string[]) => ["operator", "generate-share", ...args];
  return {
    server,
    unsealed,
    folder,
    run: (args, stdin = "") => coffer(command(args), { env, stdin, program: [EXECUTABLE] }),
    type: (args, exchanges) => onTerminal([EXECUTABLE, ...command(args)], env, exchanges),
    async progress() {
      const { body } = await server.call("GET", "sys/generate-share/attempt");
      return body["started"] === true ? body["progress"] : undefined;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export async function keyFile(): Promise<string> {
  return fileOf("grace.asc", (await pgpKey("curve25519")).armored);
}

/** What the holder of the key gets out of the file, by the command that he is told. */
export async function decrypt(path: string): Promise<string> {
  await using gpg = await openGpg((await pgpKey("curve25519")).secret);
  return new TextDecoder().decode(await gpg.run(["--decrypt", path]));
}

/** The fingerprint as it is shown. */
export async function shownFingerprint(): Promise<string> {
  const { fingerprint } = await pgpKey("curve25519");
  return fingerprint.toUpperCase().replace(/(.{4})(?=.)/g, "$1 ");
}
