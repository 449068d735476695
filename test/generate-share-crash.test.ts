/**
 * Each request of a ceremony, cut short at each operation on the store, in each way. Afterwards the register, `n` and the
 * shares agree, nothing that was acknowledged is lost, and repeating the request brings the ceremony to its end.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { FAULTS, type Fault, faultyOver } from "./faulty-driver.ts";
import { type Answer, startCoffer, type TestServer, testClock, type Unsealed } from "./harness.ts";
import {
  ATTEMPT,
  ciphertextsIn,
  countOf,
  generateShare,
  must,
  openNode,
  registerIn,
  type SoftKey,
  softKey,
  UPDATE,
} from "./share-ceremony.ts";

setDefaultTimeout(120_000);

type Step = "start" | "first share" | "last share" | "repetition" | "cancel" | "expiry";
const STEPS: readonly Step[] = ["start", "first share", "last share", "repetition", "cancel", "expiry"];
/** Who carries on: the same node, another one that was there all along, one that is unsealed afterwards. */
const SURVIVORS = ["the same node", "another node", "a new node"] as const;

let recipient: SoftKey;
let known: Unsealed;
let base: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
  recipient = await softKey();
  const store = new Map<string, Uint8Array>();
  await using server = await startCoffer({ store });
  known = await server.initAndUnseal(3, 2);
  base = new Map(store);
});

const share = (index: number) => known.keys[index] ?? "";
const give = (server: TestServer, index: number) => server.call("PUT", UPDATE, { body: { key: share(index) } });
const start = (server: TestServer) =>
  server.call("PUT", ATTEMPT, { token: known.token, body: { pgp_key: recipient.armored } });

/** What comes before the step, and the step itself. */
async function reach(step: Step, server: TestServer): Promise<void> {
  if (step === "start") return;
  await must(start(server));
  if (step !== "first share") await must(give(server, 0));
  if (step === "repetition") await must(give(server, 1));
  if (step === "expiry") server.clock.advance(3_600_000);
}

function take(step: Step, server: TestServer): Promise<Answer> {
  if (step === "start") return start(server);
  if (step === "first share") return give(server, 0);
  if (step === "cancel") return server.call("DELETE", ATTEMPT, { token: known.token });
  if (step === "expiry") return server.call("GET", ATTEMPT);
  return give(server, 1);
}

/** How many operations the step takes, so that each can be failed. */
async function operationsOf(step: Step): Promise<number> {
  const faulty = faultyOver(new Map(base));
  await using server = await startCoffer({ driver: faulty.driver });
  await server.unseal(known.keys);
  await reach(step, server);
  faulty.arm(undefined);
  await must(take(step, server));
  return faulty.operations;
}

describe.each([...STEPS])("%s", (step) => {
  test.each([...FAULTS])("%s", async (fault) => {
    const operations = await operationsOf(step);
    expect(operations).toBeGreaterThan(0);
    for (let at = 0; at < operations; at += 1) {
      for (const survivor of SURVIVORS) {
        if (fault.startsWith("stops") && survivor === "the same node") continue;
        await tryIt(step, fault, at, survivor);
      }
    }
  });
});

async function tryIt(step: Step, fault: Fault, at: number, survivor: (typeof SURVIVORS)[number]): Promise<void> {
  const store = new Map(base);
  const clock = testClock();
  const faulty = faultyOver(store);
  const failing = await startCoffer({ driver: faulty.driver, clock });
  await failing.unseal(known.keys);
  await using beside = await openNode(store, known.keys, clock);
  await reach(step, failing);

  faulty.arm(at, fault);
  const answer = await Promise.race([take(step, failing), faulty.stopped]);
  expect(faulty.failed).toBe(true);
  faulty.arm(undefined);
  const acknowledged = answer === "stopped" || answer.status >= 300 ? undefined : answer;
  if (fault.startsWith("stops")) expect(answer).toBe("stopped");

  // Either the step was made or it was not; and no share is in the register that has not been issued.
  const issued = step === "repetition" ? 4 : 3;
  const { shares } = await registerIn(store, known.keys);
  expect(shares.length === issued || (step === "last share" && shares.length === 4)).toBe(true);
  if (acknowledged?.body["complete"] === true) expect(shares).toHaveLength(4);

  const node =
    survivor === "the same node"
      ? failing
      : survivor === "another node"
        ? beside
        : await openNode(store, known.keys, clock);
  if (survivor === "a new node") expect(await countOf(node)).toBe(shares.length);
  const added = await finish(step, node, acknowledged);
  const register = await registerIn(store, known.keys);
  expect(register.attempt).toBeUndefined();
  expect(register.shares).toHaveLength(4);
  expect(register.shares[3]).toMatchObject({
    x: Number.parseInt(added.slice(-2), 16),
    recipient: recipient.fingerprint,
  });
  expect(await countOf(node)).toBe(4);
  expect(ciphertextsIn(store)).toContain(register.shares[3]?.ciphertext ?? "");
  // What was written and never named, by a node that died just before it would have named it, goes with the next start.
  expect(ciphertextsIn(store).length).toBeLessThanOrEqual(2);
  const next = await generateShare(node, known.token, known.keys.slice(0, 2), recipient);
  expect(ciphertextsIn(store)).toEqual(
    (await registerIn(store, known.keys)).shares.flatMap(({ ciphertext = [] }) => ciphertext).sort(),
  );
  await using _restarted = await openNode(store, [added, next], clock);
}

/** Repeats the step, then goes on to the end. Returns the new share. */
async function finish(step: Step, node: TestServer, acknowledged: Answer | undefined): Promise<string> {
  const { status, body, text } = await take(step, node);
  if (step === "last share" || step === "repetition") {
    expect({ status, complete: body["complete"] }).toEqual({ status: 200, complete: true });
    if (acknowledged !== undefined) expect(text).toBe(acknowledged.text);
    return recipient.open(body["key"]);
  }
  if (step === "start") expect([200, 400]).toContain(status);
  if (step === "first share") expect([200, 400]).toContain(status);
  if (step === "cancel") expect(status).toBe(204);
  if (step === "expiry") expect(body).toMatchObject({ started: false });
  if (acknowledged !== undefined && (step === "start" || step === "first share")) expect(status).toBe(400);
  if (step === "cancel" || step === "expiry") await must(start(node));
  const { body: now } = await must(node.call("GET", ATTEMPT));
  expect(now).toMatchObject({ started: true, progress: step === "first share" ? 1 : 0 });
  if (step !== "first share") await must(give(node, 0));
  return recipient.open((await must(give(node, 1))).body["key"]);
}
