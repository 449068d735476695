/**
 * Two servers over one store that rotate, configure and write at once. Every operation on the keyring and every write may
 * be held up before and after it is done, fail without being known to, or be the last one of a server that dies.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type * as fc from "fast-check";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { type Driver, Unknown } from "../storage/driver.ts";
import type { Fate } from "./barrier-store.ts";
import { type Answer, memoryOver, startCoffer, type TestServer, type Unsealed } from "./harness.ts";
import { type Command, MIN_OPERATIONS, NODES } from "./rotation-commands.ts";
import { type Change, markStored, type Sent } from "./rotation-step.ts";
import { RotationWatch } from "./rotation-watch.ts";

interface Node {
  /** Undefined until it is first used. */
  server: Promise<TestServer> | undefined;
  driver: Driver;
  /** How many operations it still does before it dies; the last of them is done if `lastIsDone`. */
  operations: number;
  lastIsDone: boolean;
  died: PromiseWithResolvers<undefined>;
  /** What it seals from now on is under this term or a later one. */
  leastTerm: number;
}

/**
 * The newest term of the keyrings that a request has stored itself. Kept for each request: what another one of the same
 * server has just stored, and not been told of yet, promises nothing.
 */
interface Own {
  term: number;
}

export class RotationModel {
  readonly #scheduler: fc.Scheduler;
  readonly #watch: RotationWatch;
  readonly #nodes: Node[];
  readonly #running: Promise<unknown>[] = [];
  readonly #own = new AsyncLocalStorage<Own>();
  /** Path → value of the writes that were acknowledged. */
  readonly #acknowledged = new Map<string, string>();
  #next: Fate = "done";
  #names = 0;
  #known: Unsealed = { token: "", keys: [] };
  readonly #happened = { rotated: 0, configured: 0, unknown: 0, died: 0, full: 0 };

  private constructor(scheduler: fc.Scheduler, maxValue: number) {
    this.#scheduler = scheduler;
    this.#watch = new RotationWatch(maxValue);
    this.#nodes = Array.from({ length: NODES }, () => this.#newNode());
  }

  /** `maxValue`: of the driver, in bytes. `rotations`: how many there have been before. */
  static async open(scheduler: fc.Scheduler, maxValue: number, rotations: number): Promise<RotationModel> {
    const model = new RotationModel(scheduler, maxValue);
    const watch = model.#watch;
    const driver = watch.counting(memoryOver(watch.store, false), { isAlive: true, leastTerm: 0 });
    Object.assign(driver, { maxValue });
    await using server = await startCoffer({ driver, clock: watch.clock, minOperations: MIN_OPERATIONS });
    model.#known = await server.initAndUnseal(1, 1);
    watch.share = model.#known.keys[0] ?? "";
    await server.call("POST", "sys/mounts/kv", { token: model.#known.token, body: { type: "kv" } });
    const ask = { token: model.#known.token };
    for (let i = 0; i < rotations; i += 1) await server.call("POST", "sys/rotate", ask);
    await server.call("POST", "sys/rotate/config", { ...ask, body: { max_operations: MIN_OPERATIONS } });
    return model;
  }

  /** How often each thing happened, so that a test can tell that it was tried at all. */
  get happened(): Readonly<Record<string, number>> {
    return { ...this.#happened, ...this.#watch.stored };
  }

  async run(command: Command): Promise<void> {
    switch (command.act) {
      case "advance":
        this.#watch.clock.advance(command.ms);
        break;
      case "fate":
        this.#next = command.fate;
        break;
      case "let go":
        for (let i = 0; i < command.times && this.#scheduler.count() > 0; i += 1) await this.#scheduler.waitOne();
        break;
      case "die":
        Object.assign(this.#at(command.node), { operations: command.after, lastIsDone: command.lastIsDone });
        break;
      case "put":
        for (let i = 0; i < command.times; i += 1) this.#start(command.node, (server) => this.#put(server));
        break;
      case "rotate":
        this.#start(command.node, (server, node) => this.#rotate(server, node));
        break;
      case "configure":
        this.#start(command.node, (server, node) => this.#configure(server, node, command.change));
        break;
      case "status":
        this.#start(command.node, (server) => this.#status(server));
        break;
      case "seal":
        this.#stop(command.node);
        break;
    }
    // The pipeline of a request takes some turns until it reaches the storage.
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    this.#watch.check();
  }

  /** Waits for all that was begun, seals every server, and reads everything with a new one. */
  async finish(): Promise<void> {
    await this.#end();
    for (let index = 0; index < NODES; index += 1) this.#stop(index);
    await this.#end();
    this.#watch.check();
    await using fresh = await startCoffer({ driver: memoryOver(this.#watch.store, false), clock: this.#watch.clock });
    await fresh.unseal(this.#known.keys);
    for (const [path, value] of this.#acknowledged) {
      const { status, body } = await fresh.call("GET", path, { token: this.#known.token });
      const read = (body["data"] as Record<string, unknown> | undefined)?.["value"];
      if (status !== 200 || read !== value) throw new Error(`${path} reads as ${status} ${String(read)}`);
    }
  }

  /** Waits for all that was begun. */
  async #end(): Promise<void> {
    let isOver = false;
    const over = Promise.all(this.#running).then(() => (isOver = true));
    await this.#scheduler.waitFor(over);
    if (!isOver) throw new Error("something never ended");
  }

  #at(index: number): Node {
    const node = this.#nodes[index];
    if (node === undefined) throw new Error("no such server");
    return node;
  }

  #newNode(): Node {
    const node: Node = {
      server: undefined,
      driver: this.#watch.driver(),
      operations: Number.POSITIVE_INFINITY,
      lastIsDone: false,
      died: Promise.withResolvers(),
      leastTerm: 0,
    };
    const writer = {
      get isAlive() {
        return node.operations > 0;
      },
      get leastTerm() {
        return node.leastTerm;
      },
    };
    node.driver = this.#watch.counting(this.#disturbed(node), writer);
    return node;
  }

  #disturbed(node: Node): Driver {
    const driver = this.#watch.driver();
    const around = async <T>(what: string, isWrite: boolean, act: () => Promise<T>): Promise<T> => {
      await this.#scheduler.schedule(Promise.resolve(), what);
      if (node.operations === 0) return never();
      node.operations -= 1;
      if (node.operations === 0) {
        if (node.lastIsDone) await act();
        this.#bury(node);
        return never();
      }
      const fate = isWrite ? this.#takeFate() : "done";
      if (fate === "unknown, not written") throw new Unknown("not written");
      const result = await act();
      await this.#scheduler.schedule(Promise.resolve(), `answer to ${what}`);
      if (node.operations === 0) return never();
      if (fate === "unknown, written") throw new Unknown("written");
      return result;
    };
    return {
      ...driver,
      delete: (key) => around(`delete ${key}`, true, () => driver.delete(key)),
      get: (key) => (key === KEYRING_PATH ? around(`get ${key}`, false, async () => driver.get(key)) : driver.get(key)),
      put: (key, value) => around(`put ${key}`, true, () => driver.put(key, value)),
      swap: async (key, was, value) => {
        const swapped = await around(`swap ${key}`, true, () => driver.swap(key, was, value));
        const own = this.#own.getStore();
        const isKeyring = key === KEYRING_PATH && value !== undefined;
        if (swapped && isKeyring && own !== undefined) own.term = this.#watch.keyring(value).keys.length;
        return swapped;
      },
    };
  }

  #takeFate(): Fate {
    const fate = this.#next;
    this.#next = "done";
    if (fate !== "done") this.#happened.unknown += 1;
    return fate;
  }

  #bury(node: Node): void {
    this.#happened.died += 1;
    node.died.resolve(undefined);
    const index = this.#nodes.indexOf(node);
    if (index >= 0) this.#nodes[index] = this.#newNode();
  }

  #start(index: number, act: (server: TestServer, node: Node) => Promise<void>): void {
    const node = this.#at(index);
    node.server ??= this.#open(node);
    const running = node.server.then(
      (server) => act(server, node),
      () => undefined,
    );
    this.#running.push(Promise.race([running.catch(this.#watch.violated), node.died.promise]));
  }

  async #open(node: Node): Promise<TestServer> {
    const server = await startCoffer({ driver: node.driver, clock: this.#watch.clock, minOperations: MIN_OPERATIONS });
    try {
      await server.unseal(this.#known.keys);
    } catch (error) {
      // Its outcome was unknown: whoever comes next tries with a new server.
      node.server = undefined;
      throw error;
    }
    return server;
  }

  #stop(index: number): void {
    const node = this.#at(index);
    if (node.server === undefined) return;
    this.#start(index, async (server) => server[Symbol.asyncDispose]());
    this.#nodes[index] = this.#newNode();
  }

  async #put(server: TestServer): Promise<void> {
    const path = `kv/${(this.#names += 1)}`;
    const answer = await this.#call(server, "PUT", path, { value: path });
    if (answer.status === 204) this.#acknowledged.set(path, path);
  }

  async #rotate(server: TestServer, node: Node): Promise<void> {
    const before = this.#watch.active();
    const own: Own = { term: 0 };
    const { status } = await this.#own.run(own, () => this.#call(server, "POST", "sys/rotate"));
    if (status !== 204) return;
    if (this.#watch.active() <= before) throw new Error("a rotation was acknowledged and there is no new term");
    this.#happened.rotated += 1;
    node.leastTerm = Math.max(node.leastTerm, own.term, before + 1);
  }

  async #configure(server: TestServer, node: Node, change: Change): Promise<void> {
    const before = this.#watch.active();
    const sent: Sent = { change, stored: false };
    this.#watch.sent.add(sent);
    markStored(this.#watch.keyring(), [sent]);
    // What a server that died had sent can not land any more, nor what it called unknown.
    void node.died.promise.then(() => this.#watch.sent.delete(sent));
    const own: Own = { term: 0 };
    const { status } = await this.#own.run(own, () => this.#call(server, "POST", "sys/rotate/config", change));
    this.#watch.sent.delete(sent);
    if (status !== 204) return;
    if (!sent.stored) throw new Error(`${JSON.stringify(change)} was acknowledged and never stored`);
    this.#happened.configured += 1;
    node.leastTerm = Math.max(node.leastTerm, own.term, before);
  }

  async #status(server: TestServer): Promise<void> {
    const before = new Map(this.#watch.sealed);
    const { status, body } = await this.#call(server, "GET", "sys/key-status");
    if (status !== 200) return;
    const { term, encryptions } = body["data"] as { term: number; encryptions: number };
    const least = before.get(term) ?? 0;
    if (encryptions < least || encryptions < 0) throw new Error(`key-status says ${encryptions}, ${least} were sealed`);
  }

  async #call(server: TestServer, method: string, path: string, body?: object): Promise<Answer> {
    const answer = await server.call(method, path, { token: this.#known.token, ...(body && { body }) });
    const isSealed = answer.status === 503;
    const isUnknown = answer.status === 500 && answer.text.includes("the storage did not confirm the write");
    const isFull = answer.text.includes("no room for another");
    if (isFull) this.#happened.full += 1;
    if (answer.status < 300 || isSealed || isUnknown || isFull) return answer;
    throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text} ${server.log.lines.at(-1) ?? ""}`);
  }
}

function never(): Promise<never> {
  return Promise.withResolvers<never>().promise;
}
