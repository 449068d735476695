/** Audit devices on real sockets: order, what is stuck, what went away. */
import { describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { openSocketDevice, type SocketAddress } from "../cli/audit/socket-device.ts";
import { newFolder } from "./executable.ts";
import { rejection, turns } from "./harness.ts";

/** Collects what is sent; `hold` has it read nothing any more. */
class Collector implements AsyncDisposable {
  text = "";
  connections = 0;
  /** What each connection has sent. */
  readonly texts: string[] = [];
  readonly #sockets = new Set<Socket>();
  #isHeld = false;
  #waiting: { readonly until: (text: string) => boolean; readonly done: () => void }[] = [];
  readonly #server: Server = createServer((socket) => {
    const connection = this.texts.push("") - 1;
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (bytes: Uint8Array) => {
      const text = new TextDecoder().decode(bytes);
      this.text += text;
      this.texts[connection] += text;
      for (const { until, done } of this.#waiting) if (until(this.text)) done();
    });
    if (this.#isHeld) socket.pause();
  });

  async listen(at: { port: number; host: string } | { path: string }): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(at, resolve));
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    this.#isHeld = false;
    for (const socket of this.#sockets) socket.resume();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  until(what: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.text.includes(what)) resolve();
      else this.#waiting.push({ until: (text) => text.includes(what), done: resolve });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const KINDS: readonly [string, () => Promise<[Collector, SocketAddress]>][] = [
  [
    "TCP",
    async () => {
      const collector = new Collector();
      const port = await collector.listen({ port: 0, host: "127.0.0.1" });
      return [collector, { hostname: "127.0.0.1", port }];
    },
  ],
  [
    "Unix",
    async () => {
      const collector = new Collector();
      const unix = join(newFolder(), "audit.sock");
      await collector.listen({ path: unix });
      return [collector, { unix }];
    },
  ],
];

describe.each(KINDS)("a %s socket", (_, open) => {
  /** A device that has sent its first line. */
  const opened = async (limitMs: number) => {
    const [collector, address] = await open();
    const device = openSocketDevice(address, limitMs);
    await device.write("first\n");
    await collector.until("first\n");
    return { collector, device };
  };

  test("gets the lines in order, small ones and large ones", async () => {
    const [collector, address] = await open();
    await using _collector = collector;
    const device = openSocketDevice(address, 5000);
    const lines = Array.from({ length: 200 }, (_none, index) => `${index} ${"x".repeat(index * 100)}\n`);
    await Promise.all(lines.map((line) => device.write(line)));
    await collector.until("199 ");
    await device.write("last\n");
    await collector.until("last\n");
    expect(collector.text).toBe(`${lines.join("")}last\n`);
    await device.close();
  });

  test("that nobody reads fails in time, holds no memory, and is connected to again", async () => {
    const { collector, device } = await opened(200);
    await using _collector = collector;
    collector.hold();
    const line = `${"x".repeat(4 * 1024 * 1024)}\n`;
    const outcomes = await Promise.allSettled([device.write(line), device.write(line), device.write(line)]);
    expect(outcomes.map(({ status }) => status)).toContain("rejected");
    const failure = await rejection(
      (async () => {
        for (;;) await device.write(line);
      })(),
    );
    expect(failure.message).toMatch(/does not take|given up/);
    collector.release();
    await device.write("again\n");
    await collector.until("again\n");
    await device.close();
  });

  test("whose other side pauses loses no line that was handed over, however often it is connected to again", async () => {
    const { collector, device } = await opened(200);
    await using _collector = collector;
    collector.hold();
    const handedOver: string[] = [];
    let last = "";
    for (let line = 0; last === ""; line += 1) {
      const text = `${line} ${"x".repeat(50_000)}\n`;
      const why = await device.write(text).then(
        () => undefined,
        ({ message }: Error) => message,
      );
      if (why === undefined) handedOver.push(text);
      else if (why.includes("was sent before")) last = why;
      await turns(1);
    }
    expect(collector.connections).toBe(4);
    collector.release();
    const isThere = (line: string) => collector.texts.some((text) => text.includes(line));
    while (!handedOver.every(isThere)) await turns(10);
    expect(handedOver.length).toBeGreaterThan(4);
    // The last of them has only just been read to its end.
    while (!collector.text.includes("again\n"))
      await device.write("again\n").then(
        () => turns(1),
        () => turns(1),
      );
    await device.close();
  }, 20_000);

  test("loses nothing when it is reopened in the middle of a write", async () => {
    const { collector, device } = await opened(5000);
    await using _collector = collector;
    collector.hold();
    const large = `${"x".repeat(8 * 1024 * 1024)}\n`;
    const writing = device.write(large);
    // The system has taken what it takes.
    await turns(5);
    const waiting = Array.from({ length: 10 }, (_none, index) => device.write(`behind ${index}\n`));
    await device.reopen();
    collector.release();
    await Promise.all([writing, ...waiting]);
    await collector.until("behind 9\n");
    await device.write("last\n");
    await collector.until("last\n");
    const behind = waiting.map((_line, index) => `behind ${index}\n`);
    expect(collector.text === `first\n${large}${behind.join("")}last\n`).toBe(true);
    expect(collector.connections).toBe(2);
    await device.close();
  });

  test("whose other side went away is connected to again", async () => {
    const { collector, device } = await opened(5000);
    await using _collector = collector;
    collector.cut();
    // The kernel may still take lines for a connection that is about to be found gone.
    for (let index = 0; !collector.text.includes("again"); index += 1) {
      await device.write(`again ${index}\n`).catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await device.close();
  });
});

test("a socket where nobody listens fails at once", async () => {
  const device = openSocketDevice({ unix: join(newFolder(), "none.sock") }, 5000);
  expect((await rejection(device.write("a\n"))).message).toBe("no connection");
  await device.close();
});
