/** Replays test/cli/*.txt with the built executable (dist/coffer, or COFFER_EXECUTABLE), against a server that it runs itself. */

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { coffer } from "./cli/spawn.ts";
import { newFolder } from "./executable.ts";
import { check, fill, parseCommand, parseTranscript } from "./cli/transcript.ts";

const BINARY = resolve(process.env["COFFER_EXECUTABLE"] || join(import.meta.dir, "../dist/coffer"));
const FOLDER = join(import.meta.dir, "cli");

interface Running extends AsyncDisposable {
  readonly address: string;
}

/** Starts `coffer server` on a port that the system chooses, and waits until it says which. */
async function startServer(kind: string): Promise<Running> {
  const options = {
    dev: ["--dev", "--dev-root-token-id", "transcript-root"],
    file: ["--storage", `file:${join(newFolder(), "store")}`],
  }[kind];
  if (options === undefined) return { address: "", [Symbol.asyncDispose]: () => Promise.resolve() };
  const child = Bun.spawn([BINARY, "server", ...options, "--listen", "127.0.0.1:0"], {
    env: { PATH: process.env["PATH"] ?? "", HOME: tmpdir() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const address = await new Promise<string>((found, failed) => {
    const listen = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
      // Read to the end, so that the server never waits for its reader.
      for await (const chunk of stream) {
        said += new TextDecoder().decode(chunk);
        const port = /127\.0\.0\.1:([1-9]\d*)/.exec(said)?.[1];
        if (port !== undefined) found(`http://127.0.0.1:${port}`);
      }
    };
    Promise.all([listen(child.stdout), listen(child.stderr)]).then(
      () => failed(new Error(`the server ended before it said where it listens:\n${said}`)),
      failed,
    );
  });
  return {
    address,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

test("the executable is built", () => {
  expect({ path: BINARY, exists: existsSync(BINARY) }).toEqual({ path: BINARY, exists: true });
});

describe.skipIf(!existsSync(BINARY))("the transcript", () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));
  test.each(names)("%s", async (name) => {
    const { server: kind, steps } = parseTranscript(readFileSync(join(FOLDER, name), "utf8"));
    await using server = await startServer(kind);
    const kept = new Map([["address", server.address]]);
    for (const step of steps) {
      const { env, args } = parseCommand(step.command, kept);
      const situation = {
        stdin: fill(step.stdin, kept),
        env: { COFFER_ADDR: server.address, ...env },
        program: [BINARY],
      };
      check(step, await coffer(args, situation), kept);
    }
  });
});
