/** What every audit device shares: order, batches, what is slow or stuck. */
import { describe, expect, test } from "bun:test";
import { LineWriter } from "../cli/audit/line-writer.ts";
import { rejection, turns, withinTurn } from "./harness.ts";

/** A place that takes what is written when it is told to. */
function heldSink() {
  const sent: { text: string; done: PromiseWithResolvers<void> }[] = [];
  return {
    sent,
    aborted: 0,
    send(bytes: Uint8Array) {
      const done = Promise.withResolvers<void>();
      sent.push({ text: new TextDecoder().decode(bytes), done });
      return done.promise;
    },
    abort() {
      this.aborted += 1;
    },
  };
}

describe("lines to a slow place", () => {
  test("go out one write at a time, those that came meanwhile together and in order", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 60_000);
    const done: string[] = [];
    const write = (line: string) => writer.write(line).then(() => done.push(line));
    const all = [write("a\n")];
    await turns(3);
    all.push(write("b\n"));
    await turns(3);
    all.push(write("c\n"));
    expect(sink.sent.map(({ text }) => text)).toEqual(["a\n"]);
    sink.sent[0]?.done.resolve();
    await all[0];
    await turns(3);
    expect(done).toEqual(["a\n"]);
    expect(sink.sent.map(({ text }) => text)).toEqual(["a\n", "b\nc\n"]);
    sink.sent[1]?.done.resolve();
    await Promise.all(all);
    await writer.drained();
    expect(done).toEqual(["a\n", "b\n", "c\n"]);
  });

  test("go out together when they come in one turn of the event loop", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 60_000);
    const all = ["a\n", "b\n", "c\n"].map((line) => writer.write(line));
    await turns(3);
    expect(sink.sent.map(({ text }) => text)).toEqual(["a\nb\nc\n"]);
    sink.sent[0]?.done.resolve();
    await Promise.all(all);
  });

  test("do not wait for the end of the turn when there are eight", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 60_000);
    const all = Array.from({ length: 12 }, (_none, index) => writer.write(`${index}\n`));
    await withinTurn();
    expect(sink.sent).toHaveLength(1);
    sink.sent[0]?.done.resolve();
    await turns(3);
    for (const { done } of sink.sent) done.resolve();
    await Promise.all(all);
    expect(sink.sent.map(({ text }) => text).join("")).toBe(all.map((_line, index) => `${index}\n`).join(""));
  });

  test("do not wait for it either when there are eight by the end of the write before", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 60_000);
    const all = [writer.write("first\n")];
    await turns(3);
    for (let line = 0; line < 8; line += 1) all.push(writer.write(`${line}\n`));
    sink.sent[0]?.done.resolve();
    await withinTurn();
    expect(sink.sent).toHaveLength(2);
    sink.sent[1]?.done.resolve();
    await Promise.all(all);
  });

  test("fail with the write that they were part of, and no others", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 60_000);
    const first = writer.write("a\n");
    await turns(3);
    const outcomes = Promise.allSettled([first, writer.write("b\n"), writer.write("c\n")]);
    sink.sent[0]?.done.resolve();
    await first;
    await turns(3);
    sink.sent[1]?.done.reject(new Error("no room"));
    expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    const last = writer.write("d\n");
    await turns(3);
    sink.sent[2]?.done.resolve();
    await last;
  });

  test("fail in time when it is stuck, at once from then on, and go on when it is not", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 20);
    const first = writer.write("a\n");
    await turns(3);
    const second = writer.write("b\n");
    for (const line of [first, second]) expect((await rejection(line)).message).toContain("does not take");
    expect(sink.aborted).toBe(1);
    expect((await rejection(writer.write("c\n"))).message).toContain("does not take");
    sink.sent[0]?.done.resolve();
    await writer.settled();
    const later = writer.write("d\n");
    await turns(3);
    expect(sink.sent.map(({ text }) => text)).toEqual(["a\n", "d\n"]);
    sink.sent[1]?.done.resolve();
    await later;
  });

  test("are not taken for stuck when the process stood still", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 50);
    const line = writer.write("a\n");
    await turns(3);
    // What the system has done meanwhile is known only after what was due by the clock.
    setTimeout(() => sink.sent[0]?.done.resolve(), 60);
    Bun.sleepSync(100);
    await line;
    expect(sink.aborted).toBe(0);
  });

  test("that are stuck are not waited for at the end, whether they were before or not", async () => {
    const writer = new LineWriter(heldSink(), 20);
    const line = rejection(writer.write("a\n"));
    await turns(3);
    await writer.drained();
    await line;
    await writer.drained();
  });

  test("are not held without bound", async () => {
    const sink = heldSink();
    const writer = new LineWriter(sink, 60_000);
    const line = `${"x".repeat(1024 * 1024)}\n`;
    const outcomes = Promise.allSettled(Array.from({ length: 100 }, () => writer.write(line)));
    expect((await rejection(writer.write(line))).message).toContain("too many lines");
    await turns(3);
    sink.sent[0]?.done.resolve();
    const count = (await outcomes).filter(({ status }) => status === "fulfilled").length;
    expect(count).toBeGreaterThan(50);
    expect(count).toBeLessThan(70);
  });
});
