/** What a client may take of time and memory. The clock is the test's. */
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { Answer } from "../../core/http/answer.ts";
import { turns } from "../harness.ts";
import { type Opened, openConnection, recorder, textAnswer } from "./conversation.ts";
import { client, HEAD, CLOSING, started } from "./sockets.ts";

const POST = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";

/** A connection of which every second is looked at. */
function watched(app = recorder([])) {
  let now = 0;
  const opened = openConnection(app, { now: () => now });
  return {
    ...opened,
    async send(text: string) {
      opened.transport.receiver.onData(Buffer.from(text, "latin1"));
      await turns(2);
    },
    /** How many seconds pass until it is closed, `limit` if it is still open then. */
    async secondsOf(limit: number, each?: (opened: Opened) => void): Promise<number> {
      for (let second = 1; second <= limit; second += 1) {
        now += 1000;
        opened.connection.check(now);
        if (opened.transport.isClosed) return second;
        each?.(opened);
        await turns(1);
      }
      return limit;
    },
  };
}

describe("a connection ends", () => {
  test("two minutes after it began, or after the last answer", async () => {
    const fresh = watched();
    expect(await fresh.secondsOf(1000)).toBe(120);
    const used = watched();
    expect(await used.secondsOf(100)).toBe(100);
    await used.send(HEAD);
    expect(await used.secondsOf(1000)).toBe(120);
    expect(used.transport.text).toStartWith("HTTP/1.1 200");
    await used.served;
  });

  test.each([["G"], [HEAD.slice(0, -1)], ["\r"], ["\r\n"]])(
    "ten seconds after the head has begun with %j",
    async (begin) => {
      const slow = watched();
      expect(await slow.secondsOf(100)).toBe(100);
      await slow.send(begin);
      expect(await slow.secondsOf(1000, ({ transport }) => transport.receiver.onData(Buffer.from("x")))).toBe(10);
      await slow.served;
    },
  );

  test("ten seconds after the answer before it, when the head had begun by then", async () => {
    const slow = watched();
    await slow.send(HEAD + HEAD.slice(0, -2));
    expect(await slow.secondsOf(1000)).toBe(10);
  });

  test("half a minute after a body has stopped", async () => {
    const slow = watched();
    await slow.send(POST);
    expect(await slow.secondsOf(20)).toBe(20);
    await slow.send("x");
    expect(await slow.secondsOf(1000)).toBe(30);
    await slow.served;
  });

  test("five minutes after a body has begun, though it goes on", async () => {
    const slow = watched();
    await slow.send(POST);
    expect(await slow.secondsOf(1000, ({ transport }) => transport.receiver.onData(Buffer.from("x")))).toBe(300);
  });

  test("when nobody wanted the body and its rest does not come", async () => {
    const slow = watched(() => textAnswer(undefined, 403));
    await slow.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx");
    expect(slow.transport.text).toStartWith("HTTP/1.1 403");
    expect(await slow.secondsOf(1000)).toBe(30);
    await slow.served;
  });

  /** Has its answer, of which it has taken nothing. */
  async function reading() {
    const slow = watched();
    slow.transport.isFull = true;
    slow.transport.unsent = 1_000_000;
    await slow.send(HEAD);
    return slow;
  }

  test("half a minute after the client has taken the last of an answer", async () => {
    const slow = await reading();
    const taking = ({ transport }: Opened) => (transport.unsent -= 1000);
    expect(await slow.secondsOf(100, taking)).toBe(100);
    expect(await slow.secondsOf(1000)).toBeWithin(30, 32);
    await slow.served;
  });

  test("five minutes after an answer has begun, though the client takes of it", async () => {
    const slow = await reading();
    expect(await slow.secondsOf(1000, ({ transport }) => (transport.unsent -= 1))).toBe(300);
  });

  test("two seconds after the last answer, when the client does not close its side", async () => {
    const done = watched();
    await done.send(CLOSING);
    expect(await done.secondsOf(1000, ({ transport }) => transport.receiver.onData(Buffer.from(HEAD)))).toBe(2);
    await done.served;
  });
});

test("the app has all the time it needs", async () => {
  const answer = Promise.withResolvers<Answer>();
  const waiting = watched(() => answer.promise);
  await waiting.send(HEAD);
  expect(await waiting.secondsOf(10_000)).toBe(10_000);
  answer.resolve(textAnswer("done"));
  await turns(2);
  expect(waiting.transport.text).toEndWith("done");
});

describe("a client that reads nothing", () => {
  /** Sends requests, 256 KiB at most. */
  async function untilHeld(flood: ReturnType<typeof watched>): Promise<boolean> {
    for (let sent = 0; sent < 256 * 1024 && !flood.transport.isPaused; sent += 2700) await flood.send(HEAD.repeat(100));
    return flood.transport.isPaused;
  }

  test("and sends requests is held back, and the app is asked once", async () => {
    let asked = 0;
    const flood = watched(() => textAnswer(String((asked += 1))));
    flood.transport.isFull = true;
    expect(await untilHeld(flood)).toBe(true);
    expect(asked).toBe(1);
    flood.transport.isFull = false;
    flood.transport.receiver.onDrain();
    await turns(5);
    expect(asked).toBeGreaterThan(1000);
    expect(flood.transport.isPaused).toBe(false);
  });

  test("is held back while the app works, too", async () => {
    const flood = watched(() => new Promise(() => undefined));
    expect(await untilHeld(flood)).toBe(true);
  });
});

describe("over sockets", () => {
  test("an idle connection is closed", async () => {
    await using running = await started();
    const { socket, closed } = client(running.server.port);
    socket.write(HEAD);
    await new Promise((resolve) => socket.once("data", resolve));
    running.clock.advance(120_000);
    await closed;
  });

  test("a reader that takes nothing is cut off", async () => {
    await using running = await started(() => textAnswer("x".repeat(64 * 1024 * 1024)));
    const { socket, closed } = client(running.server.port);
    socket.write(HEAD);
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    // What the system's buffers took counts as taken: some more looks until nothing moves.
    for (let look = 0; look < 10; look += 1) {
      await running.clock.pass(30_000);
    }
    socket.resume();
    await closed;
    expect(isClosed).toBe(true);
  });

  test("a stop ends a connection whose last answer is on its way when it comes", async () => {
    const stopped = Promise.withResolvers<void>();
    const running = await started(() => {
      // Before the answers of this turn are sent, and behind what is done when they are made.
      setImmediate(() => stopped.resolve(running.server.stop()));
      return textAnswer("an answer");
    });
    const { socket, closed, text } = client(running.server.port);
    socket.write(HEAD);
    await Promise.all([stopped.promise, closed]);
    expect(text()).toEndWith("an answer");
  });

  test("a stop ends after half a minute, whatever the app does", async () => {
    const asked = Promise.withResolvers<void>();
    const running = await started(() => {
      asked.resolve();
      return new Promise(() => undefined);
    });
    const { socket, closed } = client(running.server.port);
    socket.write(HEAD);
    await asked.promise;
    const stopped = running.server.stop();
    running.clock.advance(29_000);
    running.clock.advance(1000);
    await Promise.all([stopped, closed]);
  });

  // The runtime holds a text in one byte a character where it can, else in two, and sends it in three where it must.
  for (const character of ["x", "é", "€", "🔑"]) {
    test(`a client that has closed its side, or reads slowly, gets the whole of its answer of ${character}`, async () => {
      const body = `${character}.`.repeat(2 * 1024 * 1024);
      await using running = await started(() => textAnswer(body));
      for (const request of [HEAD, CLOSING]) {
        const socket = connect({ port: running.server.port, host: "127.0.0.1", allowHalfOpen: true });
        const pieces: Buffer[] = [];
        const ended = new Promise((resolve) => socket.once("end", resolve));
        if (request === HEAD) socket.end(request);
        else socket.write(request);
        await new Promise<void>((resolve) => {
          socket.once("data", (bytes) => {
            pieces.push(Buffer.from(bytes));
            socket.pause();
            resolve();
          });
        });
        // Longer than a connection stays open behind its last answer.
        for (let second = 0; second < 5; second += 1) await running.clock.pass(1000);
        socket.on("data", (bytes) => pieces.push(Buffer.from(bytes)));
        socket.resume();
        await ended;
        socket.destroy();
        const [head = "", ...rest] = Buffer.concat(pieces).toString().split("\r\n\r\n");
        expect(head).toContain(`content-length: ${Buffer.byteLength(body)}\r\n`.trim());
        expect(rest.join("") === body).toBe(true);
      }
    });
  }
});
