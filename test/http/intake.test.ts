/** Many who send as fast as they can: everybody else is served between their bytes. */
import { expect, spyOn, test } from "bun:test";
import { Intake } from "../../cli/http/intake.ts";
import { openConnection, recorder, type Seen } from "./conversation.ts";
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
