/**
 * Ceremony and register as a state machine: any sequence of starts, shares (good and bad), cancels, waits, restarts and
 * failures of the store, on two nodes over one store, compared with a model after each step. Where an answer was lost the
 * store must show one of the two states that it can be in, and what the model says follows that.
 */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import type { Register } from "../core/seal/register.ts";
import { FAULTS, type Fault, type FaultyDriver, faultyOver } from "./faulty-driver.ts";
import { type Answer, runs, startCoffer, type TestClock, type TestServer, testClock } from "./harness.ts";
import { ATTEMPT, countOf, must, openNode, registerIn, type SoftKey, softKey, UPDATE } from "./share-ceremony.ts";

setDefaultTimeout(120_000);

const HOUR = 3_600_000;
const THRESHOLD = 3;

type Command =
  | { readonly kind: "start"; readonly recipient: 0 | 1 }
  | { readonly kind: "cancel" }
  | { readonly kind: "give"; readonly share: number; readonly how: "as it is" | "bent" | "for another key" }
  | { readonly kind: "wait"; readonly minutes: number }
  | { readonly kind: "restart"; readonly seed: number };

interface Step {
  readonly command: Command;
  readonly node: 0 | 1;
  /** A failure of the node's store during the command. */
  readonly fault?: { readonly at: number; readonly kind: Fault } | undefined;
}

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("start" as const), recipient: fc.constantFrom(0, 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("give" as const),
      share: fc.nat({ max: 7 }),
      how: fc.constantFrom("as it is", "as it is", "as it is", "as it is", "bent", "for another key"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), minutes: fc.integer({ min: 1, max: 70 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), seed: fc.nat() }) },
);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    command,
    node: fc.constantFrom(0, 1),
    fault: fc.option(fc.record({ at: fc.nat({ max: 9 }), kind: fc.constantFrom(...FAULTS) }), {
      nil: undefined,
      freq: 3,
    }),
  }),
  { minLength: 10, maxLength: 40, size: "max" },
);

/** What the store should hold. */
interface Model {
  /** In hex, in the order of the register. */
  readonly shares: readonly string[];
  readonly attempt:
    | { readonly recipient: 0 | 1; readonly given: readonly string[]; readonly touched: number }
    | undefined;
  readonly last: { readonly at: number; readonly by: readonly string[]; readonly recipient: 0 | 1 } | undefined;
}

let recipients: readonly [SoftKey, SoftKey];
let base: ReadonlyMap<string, Uint8Array>;
let initial: readonly string[];
let token = "";
beforeAll(async () => {
  recipients = await Promise.all([softKey("first"), softKey("second")]);
  const store = new Map<string, Uint8Array>();
  await using server = await startCoffer({ store });
  ({ token, keys: initial } = await server.initAndUnseal(5, THRESHOLD));
  base = new Map(store);
});

test("the register, n and the shares agree, whatever happens in whichever order", async () => {
  const property = fc.asyncProperty(steps, async (sequence) => {
    const world = await World.open();
    for (const step of sequence) await world.take(step);
    await world.end();
  });
  await fc.assert(property, { numRuns: runs(60) });
});

interface Node {
  readonly server: TestServer;
  readonly faulty: FaultyDriver;
}

class World {
  readonly #store = new Map(base);
  readonly #clock: TestClock = testClock();
  readonly #nodes: Node[] = [];
  #model: Model = { shares: initial, attempt: undefined, last: undefined };
  /** False from a failure on, until something has set `n` right. */
  #isCountRight = true;

  static async open(): Promise<World> {
    const world = new World();
    for (const node of [0, 1]) await world.#restart(node, 0);
    return world;
  }

  async take({ command: next, node, fault }: Step): Promise<void> {
    if (next.kind === "wait") this.#clock.advance(next.minutes * 60_000);
    if (next.kind === "restart") await this.#restart(node, next.seed);
    if (next.kind === "start" || next.kind === "cancel" || next.kind === "give") await this.#request(next, node, fault);
    await this.#check(node);
  }

  /** A node that was never there before opens the store with any threshold of the shares. */
  async end(): Promise<void> {
    for (const seed of [3, 5, 8]) {
      await using server = await openNode(this.#store, this.#pick(seed), this.#clock);
      expect(await countOf(server)).toBe(this.#model.shares.length);
    }
  }

  async #request(
    next: Exclude<Command, { kind: "wait" | "restart" }>,
    at: number,
    fault: Step["fault"],
  ): Promise<void> {
    const node = this.#nodes[at];
    if (node === undefined) throw new Error("no node");
    const before = this.#now();
    const { status, after } = expected(before, next, this.#clock.now());
    if (fault !== undefined) node.faulty.arm(fault.at, fault.kind);
    const answer = await Promise.race([this.#send(node.server, next, before), node.faulty.stopped]);
    const wasFaulty = fault !== undefined && node.faulty.failed;
    node.faulty.arm(undefined);
    if (answer === "stopped") await this.#restart(at, 1);
    if (!wasFaulty) {
      if (answer === "stopped") throw new Error("stopped without a fault");
      expect({ next, status: answer.status }).toEqual({ next, status });
      this.#model = await this.#withIssued(after, answer, before);
      if (after.shares.length > before.shares.length || isRepetition(before, next)) this.#isCountRight = true;
      return;
    }
    if (answer !== "stopped" && answer.status < 300) {
      // It was acknowledged all the same: so it has happened.
      expect(answer.status).toBe(status);
      this.#model = await this.#withIssued(after, answer, before);
      return;
    }
    await this.#settle(before, after, next);
  }

  /** After a lost answer: finds out from the store whether it happened, and has the answer again if it did. */
  async #settle(before: Model, after: Model, next: Command): Promise<void> {
    const register = await registerIn(this.#store, initial);
    const happened = shows(register, after);
    expect(happened || shows(register, before)).toBe(true);
    if (!happened) return;
    this.#model = after;
    if (after.shares.length === before.shares.length) return;
    this.#isCountRight = false;
    const node = this.#nodes[0];
    if (node === undefined || next.kind !== "give") throw new Error("no node, or no share");
    const again = await must(this.#send(node.server, next, before));
    expect(again.body["complete"]).toBe(true);
    this.#model = await this.#withIssued(after, again, before);
    this.#isCountRight = true;
  }

  /** The model with the share that the answer holds, in the place of the one that was not known. */
  async #withIssued(after: Model, answer: Answer, before: Model): Promise<Model> {
    if (after.shares.length === before.shares.length) return after;
    const share = await recipients[after.last?.recipient ?? 0].open(answer.body["key"]);
    expect(before.shares.some((known) => known.slice(-2) === share.slice(-2))).toBe(false);
    return { ...after, shares: [...before.shares, share] };
  }

  #send(server: TestServer, next: Command, { shares, attempt, last }: Model): Promise<Answer> {
    if (next.kind === "cancel") return server.call("DELETE", ATTEMPT, { token });
    if (next.kind === "start") {
      return server.call("PUT", ATTEMPT, { token, body: { pgp_key: recipients[next.recipient].armored } });
    }
    if (next.kind !== "give") throw new Error("not a request");
    const { fingerprint } = recipients[(attempt ?? last)?.recipient === 0 ? 1 : 0];
    const more = next.how === "for another key" ? { pgp_fingerprint: fingerprint } : {};
    return server.call("PUT", UPDATE, { body: { key: keyOf(next, shares), ...more } });
  }

  /** A new engine in the place of this node; the one before is as good as dead. */
  async #restart(at: number, seed: number): Promise<void> {
    const faulty = faultyOver(this.#store);
    const server = await startCoffer({ driver: faulty.driver, clock: this.#clock });
    await server.unseal(this.#pick(seed));
    this.#nodes[at] = { server, faulty };
    this.#isCountRight = true;
  }

  #pick(seed: number): string[] {
    const left = [...this.#model.shares];
    return Array.from({ length: THRESHOLD }, (_each, index) =>
      left.splice((seed * 13 + index * 5) % left.length, 1),
    ).flat();
  }

  /** The model, with what time has ended taken out. */
  #now(): Model {
    const { attempt } = this.#model;
    const isOver = attempt !== undefined && this.#clock.now() - attempt.touched >= HOUR;
    return isOver ? { ...this.#model, attempt: undefined } : this.#model;
  }

  async #check(at: number): Promise<void> {
    const server = this.#nodes[at]?.server;
    if (server === undefined) throw new Error("no node");
    this.#model = this.#now();
    const { attempt, shares } = this.#model;
    expect((await must(server.call("GET", ATTEMPT))).body).toEqual({
      started: attempt !== undefined,
      progress: attempt?.given.length ?? 0,
      required: THRESHOLD,
      key: "",
      pgp_fingerprint: attempt === undefined ? "" : recipients[attempt.recipient].fingerprint,
      complete: false,
    });
    const register = await registerIn(this.#store, initial);
    expect(shows(register, this.#model)).toBe(true);
    for (const { ciphertext } of register.shares)
      expect(ciphertext === undefined || this.#store.has(ciphertext)).toBe(true);
    if (this.#isCountRight) expect(await countOf(server)).toBe(shares.length);
  }
}

function keyOf({ share, how }: Extract<Command, { kind: "give" }>, shares: readonly string[]): string {
  const key = shares[share % shares.length] ?? "";
  return how === "bent" ? `${key.startsWith("0") ? "1" : "0"}${key.slice(1)}` : key;
}

function isRepetition({ attempt }: Model, next: Command): boolean {
  return attempt === undefined && next.kind === "give";
}

/** What should be answered, and be in the store afterwards. A share that will be issued is not known: "". */
function expected(model: Model, next: Command, now: number): { status: number; after: Model } {
  const { shares, attempt, last } = model;
  const refused = { status: 400, after: model };
  if (next.kind === "cancel") return { status: 204, after: { ...model, attempt: undefined } };
  if (next.kind === "start") {
    if (attempt !== undefined) return refused;
    const started = { recipient: next.recipient, given: [], touched: now };
    return { status: 200, after: { shares, attempt: started, last: undefined } };
  }
  if (next.kind !== "give" || next.how !== "as it is") return refused;
  const key = keyOf(next, shares);
  if (attempt === undefined) {
    const isKnown = last?.by.includes(key) === true && now - last.at < HOUR;
    return { status: isKnown ? 200 : 400, after: model };
  }
  if (attempt.given.includes(key)) return refused;
  const given = [...attempt.given, key];
  if (given.length < THRESHOLD)
    return { status: 200, after: { ...model, attempt: { ...attempt, given, touched: now } } };
  const finished = { at: now, by: given, recipient: attempt.recipient };
  return { status: 200, after: { shares: [...shares, ""], attempt: undefined, last: finished } };
}

/** Whether the register is what the model says. */
function shows(register: Register, { shares, attempt }: Model): boolean {
  const x = (share: string) => Number.parseInt(share.slice(-2), 16);
  const issued = register.shares.map((share) => share.x);
  const areShares =
    issued.length === shares.length && shares.every((share, index) => share === "" || x(share) === issued[index]);
  const given = register.attempt?.given.map((share) => share.x);
  return areShares && JSON.stringify(given) === JSON.stringify(attempt?.given.map(x));
}
