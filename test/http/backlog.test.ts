/** What all connections together may hold of answers that are not taken. The clock is the test's. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Backlog } from "../../cli/http/backlog.ts";
import type { App } from "../../cli/http/connection.ts";
import { Outbox } from "../../cli/http/outbox.ts";
import type { Refusal } from "../../cli/http/refusal.ts";
import { BunTransport } from "../../cli/http/transport.ts";
import { testClock, turns, withinTurn } from "../harness.ts";
import { openConnection, type Opened, textAnswer } from "./conversation.ts";
import { HEAD } from "./sockets.ts";

const LARGE = "x".repeat(4 * 1024 * 1024);
/** So many large answers are within the budget. */
const ROOM = 31;
/** With so many there is just more than twice the budget. */
const TWICE = 64;

/** Connections of one server, on which `count` clients have a large answer each and take nothing. */
async function stalled(count: number) {
  const clock = testClock();
  const refused: Refusal[] = [];
  let timers = 0;
  const every = (ms: number, act: () => void) => {
    timers += 1;
    const stop = clock.every(ms, act);
    return () => {
      timers -= 1;
      stop();
    };
  };
  const backlog = new Backlog({ ...clock, every });
  let asked = 0;
  // As the pipeline does it.
  const app: App = async ({ answers }) => {
    if (answers?.isOver === true && !(await answers.turn())) return textAnswer("");
    asked += 1;
    return textAnswer(LARGE);
  };
  const open = () => {
    const opened = openConnection(app, { backlog, onRefused: (reason) => refused.push(reason) });
    opened.transport.isFull = true;
    opened.transport.unsent = LARGE.length;
    opened.transport.receiver.onData(Buffer.from(HEAD));
    return opened;
  };
  const connections: Opened[] = [];
  while (connections.length < count) {
    connections.push(open());
    await turns(1);
  }
  await turns(count);
  return {
    connections,
    refused,
    isLookedAt: () => timers > 0,
    asked: () => asked,
    open,
    /** So many clients more, whose requests come in one turn of the event loop. */
    async openTogether(more: number) {
      for (let client = 0; client < more; client += 1) {
        open();
        // As the runtime does between what comes on one socket and on the next.
        await withinTurn();
      }
    },
    /** So many looks, before each of which `each` happens. */
    async looks(looks: number, each?: () => void) {
      for (let look = 0; look < looks; look += 1) {
        each?.();
        await clock.pass(100);
      }
    },
    closed: () => connections.flatMap(({ transport }, index) => (transport.isClosed ? [index] : [])),
  };
}

const indexes = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

function take({ transport }: Opened): void {
  transport.unsent -= 1;
}

describe("when clients take nothing", () => {
  test("and hold no more than the budget, they have the time that every client has", async () => {
    const server = await stalled(ROOM);
    await server.looks(100);
    expect(server.closed()).toEqual([]);
  });

  test("those who have taken nothing for the longest are cut off until there is room", async () => {
    const server = await stalled(ROOM + 10);
    const [first, second] = server.connections as [Opened, Opened];
    await server.looks(9);
    expect(server.closed()).toEqual([]);
    expect(server.isLookedAt()).toBe(true);
    take(second);
    await server.looks(1);
    expect(server.closed()).toEqual([0, ...indexes(2, 11)]);
    expect(server.refused).toEqual(Array.from({ length: 10 }, () => "unread"));
    await first.served;
    expect(server.isLookedAt()).toBe(false);
    await server.looks(100);
    expect(server.closed()).toHaveLength(10);
  });

  test("they do so while the others take all", async () => {
    const server = await stalled(ROOM + 10);
    const readers = server.connections.slice(5);
    await server.looks(9);
    for (const { transport } of readers) transport.receiver.onDrain();
    await withinTurn();
    await server.looks(10);
    expect(server.closed()).toEqual([]);
  });

  test("a client that goes on reading is not cut off while there is less than twice the budget", async () => {
    const server = await stalled(ROOM + 20);
    const readers = server.connections.slice(0, ROOM + 10);
    await server.looks(50, () => readers.forEach(take));
    expect(server.closed()).toEqual(indexes(ROOM + 10, ROOM + 20));
  });
});

test("few large answers are made in one turn, also where there is room", async () => {
  const server = await stalled(0);
  await server.openTogether(10);
  expect(server.asked()).toBe(1);
  await turns(3);
  expect(server.asked()).toBeWithin(2, 5);
  await turns(10);
  expect(server.asked()).toBe(10);
});

describe("when there is more than the budget", () => {
  test("requests that came together are answered one in each turn", async () => {
    const server = await stalled(ROOM + 1);
    expect(server.asked()).toBe(ROOM + 1);
    await server.openTogether(10);
    expect(server.asked()).toBe(ROOM + 1);
    await turns(3);
    expect(server.asked()).toBeWithin(ROOM + 2, ROOM + 5);
    await turns(10);
    expect(server.asked()).toBe(ROOM + 11);
  });

  test("requests wait when there is twice the budget, and who reads slowest makes room for them", async () => {
    const server = await stalled(100);
    expect(server.asked()).toBe(TWICE);
    const readEach = () => server.connections.forEach(({ transport }, index) => (transport.unsent -= index + 1));
    await server.looks(9, readEach);
    expect(server.asked()).toBe(TWICE);
    await server.looks(100 - TWICE, readEach);
    expect(server.asked()).toBe(100);
    expect(server.closed()).toEqual(indexes(0, 100 - TWICE));
    await server.looks(20, readEach);
    // One less than those that were too many.
    expect(server.closed()).toEqual(indexes(0, 101 - TWICE));
    expect(new Set(server.refused)).toEqual(new Set(["unread"]));
  });

  test("what waits for room is carried out when a client has taken its answer", async () => {
    const server = await stalled(TWICE + 2);
    expect(server.asked()).toBe(TWICE);
    server.connections[0]?.transport.receiver.onDrain();
    await turns(5);
    expect(server.asked()).toBe(TWICE + 1);
    server.connections[1]?.transport.receiver.onClose();
    await turns(5);
    expect(server.asked()).toBe(TWICE + 2);
  });

  test("what a client has sent is not carried out when it has gone before its turn", async () => {
    const server = await stalled(ROOM + 1);
    const late = [server.open(), server.open()] as const;
    late[0].transport.receiver.onClose();
    await Promise.all([late[0].served, turns(5)]);
    expect(server.asked()).toBe(ROOM + 2);
  });
});

test("answers are not made while too many wait to be recorded", async () => {
  const backlog = new Backlog(testClock());
  const recorded: (() => void)[] = [];
  const app: App = async ({ answers }) => {
    if (answers?.isOver === true) await answers.turn();
    using _kept = answers?.keep(LARGE.length);
    await new Promise<void>((resolve) => recorded.push(resolve));
    return textAnswer("");
  };
  for (let request = 0; request < 20; request += 1) {
    openConnection(app, { backlog }).transport.receiver.onData(Buffer.from(HEAD));
  }
  await turns(30);
  expect(recorded).toHaveLength(5);
  for (let request = 0; request < 20; request += 1) {
    recorded[request]?.();
    await turns(2);
    expect(recorded).toHaveLength(Math.min(20, request + 6));
  }
});

test("a large answer goes to the system at once, small ones at the end of the turn", async () => {
  const written: (string | Uint8Array)[] = [];
  const socket = { remoteAddress: "", remotePort: 0, write: (text: string) => (written.push(text), text.length) };
  const receiver = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} };
  const outbox = new Outbox();
  const transport = () => new BunTransport(socket as unknown as Bun.Socket<unknown>, receiver, outbox);
  for (const text of ["small", LARGE, "small, too"]) transport().write({ text, bytes: text.length });
  expect(written).toEqual([LARGE]);
  await turns(1);
  expect(written).toEqual([LARGE, "small", "small, too"]);
});

test("an answer that waits to be taken is in memory once", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "backlog-child.ts")]);
  const { held, heap } = (await child.stdout.json()) as { held: number; heap: number };
  expect(heap / held).toBeWithin(0.9, 1.3);
});

describe("answers that wait to be recorded", () => {
  const MIB = 1024 * 1024;
  const opened = () => {
    const clock = testClock();
    const cut: string[] = [];
    const untaken = { unsent: MIB, cut: (why: string) => cut.push(why) };
    const backlog = new Backlog(clock);
    return { clock, cut, untaken, backlog, answers: backlog.of(() => true) };
  };

  test("count with those that are not taken", async () => {
    const { backlog, untaken, answers } = opened();
    using _held = backlog.hold(untaken, 120 * MIB);
    expect(answers.isOver).toBe(false);
    const kept = answers.keep(10 * MIB);
    await turns(1);
    expect(answers.isOver).toBe(true);
    kept[Symbol.dispose]();
    expect(answers.isOver).toBe(false);
  });

  test("count with those that are made in the same turn", async () => {
    const { answers } = opened();
    using _kept = answers.keep(5 * MIB);
    expect(answers.isOver).toBe(true);
    await turns(1);
    expect(answers.isOver).toBe(false);
  });

  test("have a smaller budget of their own, for which nobody is cut off", async () => {
    const { backlog, untaken, answers, clock, cut } = opened();
    using _kept = answers.keep(17 * MIB);
    await turns(1);
    expect(answers.isOver).toBe(true);
    using _held = backlog.hold(untaken, MIB);
    for (let look = 0; look < 15; look += 1) await clock.pass(100);
    expect(cut).toEqual([]);
  });

  test("let nobody have his turn until there is room", async () => {
    const { backlog, untaken, answers } = opened();
    const large = backlog.hold(untaken, 300 * MIB);
    const small = backlog.hold(untaken, MIB);
    let hasTurn = false;
    const turn = answers.turn().then(() => (hasTurn = true));
    await turns(2);
    small[Symbol.dispose]();
    await turns(2);
    expect(hasTurn).toBe(false);
    large[Symbol.dispose]();
    await turn;
  });
});
