/** A body takes as long as its sender likes. What was checked before it came must still hold when it is acted upon. */
import { describe, expect, test } from "bun:test";
import { openCoffer } from "../core/coffer.ts";
import { utf8 } from "../core/encoding.ts";
import { plugins } from "../plugins/index.ts";
import { openMemory } from "../storage/memory.ts";
import { testClock, testLog } from "./harness.ts";

async function started(clock = testClock()) {
  const coffer = openCoffer({ storage: openMemory(), plugins, log: testLog(), version: "0.0.0-test", clock });
  const ask = async (method: string, path: string, body: object | ReadableStream<Uint8Array>, token = "") => {
    const sent = body instanceof ReadableStream ? body : JSON.stringify(body);
    const init = { method, body: sent, headers: { "x-vault-token": token }, duplex: "half" } as RequestInit;
    const response = await coffer.fetch(new Request(`http://127.0.0.1/v1/${path}`, init));
    return { status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") };
  };
  const { text } = await ask("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
  const { keys, root_token } = JSON.parse(text) as { keys: string[]; root_token: string };
  const unseal = () => ask("PUT", "sys/unseal", { key: keys[0] });
  return { ask, unseal, token: root_token, [Symbol.asyncDispose]: () => coffer[Symbol.asyncDispose]() };
}

/** A body of `{}` whose last byte comes when `finish` is called; `begun` resolves when the first is read. */
function slowBody() {
  const begun = Promise.withResolvers<void>();
  const last = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(utf8("{"));
      begun.resolve();
      await last.promise;
      controller.enqueue(utf8("}"));
      controller.close();
    },
  });
  return { stream, begun: begun.promise, finish: () => last.resolve() };
}

describe("a request whose body came slowly", () => {
  test("from nobody, begun while sealed, does not seal the server after it was unsealed", async () => {
    await using server = await started();
    const { stream, begun, finish } = slowBody();
    const sealing = server.ask("PUT", "sys/seal", stream);
    await begun;
    await server.unseal();
    finish();
    expect((await sealing).status).toBe(503);
    expect((await server.ask("PUT", "auth/token/lookup-self", {}, server.token)).status).toBe(200);
  });

  test("with a token that was revoked after another unseal does nothing", async () => {
    await using server = await started();
    await server.unseal();
    const child = { id: "child", no_parent: true };
    await server.ask("POST", "auth/token/create", child, server.token);
    const { stream, begun, finish } = slowBody();
    const rotating = server.ask("PUT", "sys/rotate", stream, "child");
    await begun;
    await server.ask("PUT", "sys/seal", {}, server.token);
    await server.unseal();
    await server.ask("PUT", "auth/token/revoke-self", {}, "child");
    finish();
    expect((await rotating).status).toBe(503);
  });
});

describe("large bodies that come slowly", () => {
  /** A body of 31 MiB of white space and `{}`, whose last byte comes when `finish` is called. */
  function largeBody() {
    const { stream, begun, finish } = slowBody();
    const space = new Uint8Array(31 * 1024 * 1024).fill(0x20);
    const padded = stream.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({ start: (controller) => controller.enqueue(space) }),
    );
    return { stream: padded, begun, finish };
  }

  test("take a limited room together; small ones go on, and so do large ones when there is room again", async () => {
    await using server = await started();
    await server.unseal();
    const bodies = Array.from({ length: 2 }, largeBody);
    const answers = bodies.map(({ stream }) => server.ask("PUT", "sys/mounts/x", stream));
    await Promise.all(bodies.map(({ begun }) => begun));
    const large = JSON.stringify({ key: "x".repeat(10 * 1024 * 1024) });
    const send = (text: string) => server.ask("PUT", "sys/nothing", new Blob([text]).stream(), server.token);
    expect(await send(large)).toEqual({
      status: 503,
      text: '{"errors":["too many large requests at once: try again"]}\n',
      retryAfter: "1",
    });
    expect((await send("{}")).status).toBe(404);
    for (const { finish } of bodies) finish();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([403, 403]);
    expect((await send(large)).status).toBe(404);
  });

  test("make way for others after a second", async () => {
    const clock = testClock();
    await using server = await started(clock);
    await server.unseal();
    const [first, second] = [largeBody(), largeBody()];
    const answers = [first, second].map(({ stream }) => server.ask("PUT", "sys/mounts/x", stream));
    await Promise.all([first.begun, second.begun]);
    const send = () => server.ask("PUT", "sys/nothing", largeBodyOf(10), server.token);
    expect((await send()).status).toBe(503);
    clock.advance(1000);
    expect((await send()).status).toBe(404);
    // As soon as it had to make way, though nothing more came of it.
    expect(await answers[0]).toMatchObject({ status: 503, retryAfter: "1" });
    second.finish();
    expect((await answers[1])?.status).toBe(403);
    first.finish();
  });
});

function largeBodyOf(mib: number): ReadableStream<Uint8Array> {
  return new Blob([JSON.stringify({ key: "x".repeat(mib * 1024 * 1024) })]).stream();
}
