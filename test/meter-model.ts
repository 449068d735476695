/**
 * Several nodes over one store, whose every storage operation may be held up before and after it is done, fail without
 * being known to, or be the last one of a node that dies. Watches at every moment that the meter's promises hold.
 */
import * as fc from "fast-check";
import type { Barrier } from "../core/barrier/barrier.ts";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import { FRESH_MS } from "../core/barrier/meter.ts";
import { ApiError } from "../core/errors.ts";
import { type Driver, Unknown } from "../storage/driver.ts";
import { type BarrierStore, barrierStore, type Fate } from "./barrier-store.ts";
import { wrapDriver } from "./harness.ts";
import { splitFrame } from "./vault-format.ts";

const NODES = 3;

const node = fc.integer({ min: 0, max: NODES - 1 });
const ms = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 2500, max: 12_000 }));
export const commands = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ act: fc.constant("put" as const), node, times: fc.integer({ min: 1, max: 50 }) }),
    },
    { weight: 4, arbitrary: fc.record({ act: fc.constant("advance" as const), ms }) },
    {
      weight: 1,
      arbitrary: fc.record({
        act: fc.constant("setWall" as const),
        ms: fc.oneof(
          ms,
          ms.map((by) => -by),
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant("setMonotonic" as const), ms }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant("status" as const), node }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant("close" as const), node }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant("crash" as const), node }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant("rotate" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        act: fc.constant("fate" as const),
        fate: fc.constantFrom<Fate>("unknown, not written", "unknown, written"),
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({ act: fc.constant("let go" as const), times: fc.integer({ min: 1, max: 30 }) }),
    },
  ),
  { maxLength: 60, size: "max" },
);
export type Command = typeof commands extends fc.Arbitrary<(infer C)[]> ? C : never;

interface Node {
  /** Undefined until it is first used, and after it stopped. */
  barrier: Promise<Barrier> | undefined;
  driver: Driver;
  alive: boolean;
  /** Both clocks when each read of the keyring that has come back was sent. */
  readonly reads: { readonly wall: number; readonly monotonic: number }[];
}

export class MeterModel {
  readonly made: BarrierStore = barrierStore();
  /** Term → entries that were sealed under it, by any node, dead ones included. */
  readonly sealed = new Map<number, number>();
  /** True when nothing has happened that may leave a rest counted: no crash, unknown outcome or rotation. */
  exact = true;
  readonly #scheduler: fc.Scheduler;
  readonly #nodes: Node[] = Array.from({ length: NODES }, () => this.#newNode());
  readonly #running: Promise<unknown>[] = [];
  #next: Fate = "done";
  #names = 0;

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
  }

  async run(command: Command): Promise<void> {
    const { clock } = this.made;
    switch (command.act) {
      case "advance":
        return clock.advance(command.ms);
      case "setWall":
        return clock.setWall(command.ms);
      case "setMonotonic":
        return clock.setMonotonic(command.ms);
      case "rotate":
        this.exact = false;
        await this.made.rotate();
        return undefined;
      case "fate":
        this.#next = command.fate;
        return undefined;
      case "crash":
        return this.#crash(command.node);
      case "let go":
        for (let i = 0; i < command.times && this.#scheduler.count() > 0; i += 1) await this.#scheduler.waitOne();
        return undefined;
      case "put":
        for (let i = 0; i < command.times; i += 1) this.#start(command.node, (barrier) => this.#put(barrier));
        return undefined;
      case "status":
        return this.#start(command.node, (barrier) => this.#status(barrier));
      case "close":
        return this.#close(command.node);
    }
  }

  /** Closes every node that lives, and waits until all that was begun has ended. */
  async finish(): Promise<void> {
    for (let i = 0; i < NODES; i += 1) this.#close(i);
    await this.#scheduler.waitFor(Promise.all(this.#running));
    this.check();
  }

  /** The promise of the meter: what is stored for a term is at least what was sealed under it. */
  check(): void {
    for (const { term, encryptions } of this.made.keyring().keys) {
      const done = this.sealed.get(term) ?? 0;
      if (encryptions < done) throw new Error(`term ${term}: ${done} sealed, ${encryptions} stored`);
    }
  }

  #newNode(): Node {
    const made: Node = { barrier: undefined, driver: this.made.driver, alive: true, reads: [] };
    made.driver = wrapDriver(this.made.driver, async (operation, key, act) => {
      const { clock } = this.made;
      const sent = { wall: clock.now(), monotonic: clock.monotonic() };
      if (operation === "put" && made.alive) this.#count(made, key);
      await this.#scheduler.schedule(Promise.resolve(), `${operation} ${key}`);
      if (!made.alive) return new Promise(() => undefined);
      const fate = operation === "get" || operation === "list" ? "done" : this.#takeFate();
      if (fate === "unknown, not written") throw new Unknown("not written");
      const result = await act();
      this.check();
      await this.#scheduler.schedule(Promise.resolve(), `answer to ${operation} ${key}`);
      if (!made.alive) return new Promise(() => undefined);
      if (fate === "unknown, written") throw new Unknown("written");
      if (operation === "get" && key === KEYRING_PATH) made.reads.push(sent);
      return result;
    });
    const put = made.driver.put.bind(made.driver);
    made.driver = { ...made.driver, put: (key, value) => ((this.#term = splitFrame(value).term), put(key, value)) };
    return made;
  }

  /** The term of the frame that is being put. */
  #term = 0;

  /** Called while a put begins, in the same turn in which the value was sealed. */
  #count(from: Node, key: string): void {
    const { clock } = this.made;
    this.sealed.set(this.#term, (this.sealed.get(this.#term) ?? 0) + 1);
    this.check();
    const isFresh = from.reads.some(({ wall, monotonic }) =>
      [clock.now() - wall, clock.monotonic() - monotonic].every((age) => age >= 0 && age < FRESH_MS),
    );
    if (!isFresh) throw new Error(`${key} was sealed without a fresh read of the keyring`);
  }

  #takeFate(): Fate {
    const fate = this.#next;
    this.#next = "done";
    if (fate !== "done") this.exact = false;
    return fate;
  }

  #start(index: number, act: (barrier: Barrier) => Promise<void>): void {
    const at = this.#nodes[index];
    if (at === undefined) throw new Error("no such node");
    at.barrier ??= this.made.open(at.driver);
    const died = new Promise<void>((resolve) => this.#deaths.set(at, [...(this.#deaths.get(at) ?? []), resolve]));
    this.#running.push(Promise.race([at.barrier.then(act), died]));
  }

  /** Node → what to call when it dies, since nothing that it began ever ends. */
  readonly #deaths = new Map<Node, (() => void)[]>();

  #crash(index: number): void {
    const at = this.#nodes[index];
    if (at?.barrier === undefined) return;
    this.exact = false;
    at.alive = false;
    for (const died of this.#deaths.get(at) ?? []) died();
    this.#nodes[index] = this.#newNode();
  }

  #close(index: number): void {
    const at = this.#nodes[index];
    if (at?.barrier === undefined) return;
    this.#start(index, (barrier) => barrier.close().catch(allow(Unknown)));
    this.#nodes[index] = this.#newNode();
  }

  async #put(barrier: Barrier): Promise<void> {
    const path = `logical/${(this.#names += 1)}`;
    await barrier.put(path, new Uint8Array()).catch(allow(ApiError));
  }

  async #status(barrier: Barrier): Promise<void> {
    const before = new Map(this.sealed);
    const status = await barrier.keys.status().catch(allow(ApiError));
    if (status !== undefined && status.encryptions < (before.get(status.term) ?? 0))
      throw new Error(`key-status says ${status.encryptions}, ${before.get(status.term)} were sealed`);
  }
}

/** What may go wrong when an outcome is unknown, or when the node is closed: `sealed`, `unknown-outcome`, Unknown. */
function allow(kind: typeof ApiError | typeof Unknown): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof kind)) throw error;
    if (error instanceof ApiError && error.code !== "sealed" && error.code !== "unknown-outcome") throw error;
    return undefined;
  };
}
