/** Many who send as fast as they can: everybody else is served between their bytes. */
import { expect, spyOn, test } from "bun:test";
import { Input } from "../../cli/http/input.ts";
import { Intake } from "../../cli/http/intake.ts";
import { openConnection, recorder, type Seen, textAnswer } from "./conversation.ts";
import { turns, withinTurn } from "../harness.ts";

const PIECE = 64 * 1024;

test("few are read from in one turn of the event loop, each in its turn", async () => {
  const intake = new Intake();
  const read: number[] = [];
  for (let client = 0; client < 10; client += 1) intake.next(() => void read.push(client));
  const after: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    after.push(read.length);
  }
  expect(after).toEqual([4, 8, 10]);
  expect(read).toEqual(Array.from({ length: 10 }, (_, client) => client));
});

test("a client is held back until the next turn, however fast its bytes are used up", async () => {
  const seen: Seen[] = [];
  const { transport } = openConnection(recorder(seen));
  const send = (text: string) => transport.receiver.onData(Buffer.from(text));
  send(`PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${3 * PIECE}\r\n\r\n`);
  for (let piece = 1; piece <= 3; piece += 1) {
    for (let part = 0; part < 4; part += 1) {
      expect(transport.isPaused).toBe(false);
      send("x".repeat(PIECE / 4));
      await withinTurn();
    }
    expect(transport.isPaused).toBe(true);
    await turns(2);
  }
  expect(seen.map(({ body }) => body.length)).toEqual([3 * PIECE]);
});

test("others have their turn while many tiny chunks are read", async () => {
  const seen: Seen[] = [];
  const { transport } = openConnection(recorder(seen));
  const head = "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  transport.receiver.onData(Buffer.from(`${head}${"1\r\nx\r\n".repeat(50_000)}0\r\n\r\n`));
  let turn = 0;
  for (; seen.length === 0; turn += 1) {
    await withinTurn();
    await turns(1);
  }
  expect(turn).toBeGreaterThan(8);
  expect(seen.map(({ body }) => body.length)).toEqual([50_000]);
});

test("a connection that is held waits for one turn, whatever comes meanwhile, and for none when it has ended", async () => {
  const resumed: number[] = [];
  let turn = 0;
  const transport = { pause: () => undefined, resume: () => void resumed.push(turn) };
  const intake = new Intake();
  const input = new Input(transport, intake, () => undefined);
  input.push(Buffer.alloc(PIECE));
  for (let asked = 0; asked < 8; asked += 1) {
    void input.more();
    // What the runtime had read before it was told to pause.
    input.push(Buffer.alloc(1));
  }
  for (turn = 1; turn < 5; turn += 1) await turns(1);
  expect(resumed).toHaveLength(1);
  input.push(Buffer.alloc(PIECE));
  void input.more();
  input.end();
  await turns(3);
  expect(resumed).toHaveLength(1);
});

test("what is sent behind the last answer is dropped as it comes", async () => {
  using joined = spyOn(Buffer, "concat");
  const read: number[] = [];
  const { transport } = openConnection(recorder([]), { onRead: (bytes) => void read.push(bytes) });
  const send = (text: string) => transport.receiver.onData(Buffer.from(text));
  send("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await turns(2);
  for (let piece = 1; piece <= 5; piece += 1) {
    send("x".repeat(PIECE));
    expect(transport.isPaused).toBe(true);
    await turns(2);
    expect(transport.isPaused).toBe(false);
  }
  expect(read).toHaveLength(5);
  // Nothing is put together that nobody reads.
  expect(joined).not.toHaveBeenCalled();
});

test("whoever still reads the body of a request that was answered does not keep its connection", async () => {
  const intake = new Intake();
  let now = 0;
  const { transport, served } = openConnection(
    ({ body }) => {
      void body?.whole().catch(() => undefined);
      // As when a body has to make way for others, while its reader waits for a turn.
      return textAnswer("no room", 503);
    },
    { intake, now: () => now },
  );
  for (let other = 0; other < 40; other += 1) intake.next(() => undefined);
  const chunks = "1\r\nx\r\n".repeat(1000);
  transport.receiver.onData(Buffer.from(`PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`));
  await turns(30);
  expect(transport.text).toStartWith("HTTP/1.1 503");
  transport.receiver.onData(Buffer.from(chunks));
  await turns(30);
  transport.receiver.onEnd();
  await served;
  expect(transport.isClosed).toBe(true);
  now = 0;
});

test("of a large piece no more is kept than what is left of it", async () => {
  const input = new Input({ pause: () => undefined, resume: () => undefined }, new Intake(), () => undefined);
  input.push(Buffer.alloc(512 * 1024, "x"));
  input.take(512 * 1024 - 10);
  void input.more();
  expect(input.bytes.toString()).toBe("x".repeat(10));
  expect(input.bytes.buffer.byteLength).toBeLessThan(16 * 1024);
});
