import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { TOKEN_SALT_PATH, Tokens } from "../core/access/tokens.ts";
import { Barrier } from "../core/barrier/barrier.ts";
import { type Fate, gate } from "./barrier-store.ts";
import { forEveryCrash } from "./crash.ts";
import { memoryOver, rejection, runs, wrapDriver } from "./harness.ts";
import { alive, callerOf, family, made, tokenStore } from "./token-store.ts";

describe("tokens", () => {
  test("are known by their text only, and outlive a restart", async () => {
    const { open, parent, below, beside, root } = await family();
    const { tokens } = await open();
    expect(await alive(tokens, [parent, ...below, ...beside])).toEqual(Array(7).fill(true));
    for (const wrong of ["", "x", root.slice(0, -1), `${root}x`, root.toLowerCase(), "hvs.", "ü"])
      expect(await tokens.authenticate(wrong, {})).toBeUndefined();
  });

  test("tell their holder what they are", async () => {
    const { open, root } = await tokenStore();
    const { tokens } = await open();
    const caller = await callerOf(tokens, root);
    const meta = { constructor: "x", a: "b" };
    const held = await tokens.create(caller, { id: "mine", displayName: "token-x", meta, orphan: false });
    expect(held.token.reveal()).toBe("mine");
    const self = await tokens.self(await callerOf(tokens, "mine"));
    expect([self.token.reveal(), self.info]).toEqual(["mine", held.info]);
    expect(Bun.inspect(self)).not.toContain("mine");
    expect(held.info).toMatchObject({ policies: ["root"], path: "auth/token/create", orphan: false, meta });
    expect((await tokens.self(caller)).info).toMatchObject({ orphan: true, path: "auth/token/root" });
    expect((await rejection(tokens.create(caller, made("mine")))).message).toBe(
      "cannot create a token with a duplicate ID",
    );
  });

  test("neither their text nor the salt is in the store, as bytes or in a path", async () => {
    const { store, parent, below, beside, open } = await family();
    const salt = await (await open()).barrier.get(TOKEN_SALT_PATH);
    const raw = Buffer.concat([...store].flatMap(([path, value]) => [Buffer.from(path), Buffer.from(value)]));
    for (const token of [parent, ...below, ...beside]) expect(raw.includes(token.slice(4))).toBe(false);
    expect(raw.includes(Buffer.from(salt ?? raw))).toBe(false);
  });

  test("that are revoked take all below them, and leave nothing behind", async () => {
    const { store, open, parent, below, beside } = await family();
    const { tokens, barrier } = await open();
    await tokens.revokeSelf(await callerOf(tokens, parent));
    expect(await alive(tokens, [parent, ...below])).toEqual(Array(4).fill(false));
    expect(await alive(tokens, beside)).toEqual([true, true, true]);
    // Three tokens and the salt; one of them is a child of the root token.
    const left = [...store.keys()].filter((path) => path.startsWith("sys/token/"));
    const kinds = left.map((path) => path.split("/")[2]);
    expect(kinds.toSorted((a = "", b = "") => (a < b ? -1 : 1))).toEqual(["id", "id", "id", "parent", "salt"]);
    await barrier.close();
  });

  test("that are revoked are refused to who holds a caller already", async () => {
    const { open, parent } = await family();
    const { tokens } = await open();
    const [one, two] = [await callerOf(tokens, parent), await callerOf(tokens, parent)];
    await tokens.revokeSelf(one);
    expect(await rejection(tokens.self(two))).toMatchObject({ code: "permission-denied" });
    expect(await rejection(tokens.create(two, made()))).toMatchObject({ code: "permission-denied" });
    await tokens.revokeSelf(two);
    expect(await rejection(tokens.self({ accessor: "x", policies: [] }))).toMatchObject({ code: "permission-denied" });
  });
});

describe("a revocation that a crash cut off", () => {
  test("at any operation: after a restart no child of the dead lives, nor the dead if that was acknowledged", async () => {
    const { store, clock, rootKey, parent, below, beside } = await family();
    const seen = { alive: 0, dead: 0 };
    const crashes = await forEveryCrash(
      store,
      async (driver, arm) => {
        const tokens = await Tokens.open(await Barrier.open([rootKey.slice()], { driver, clock }), clock);
        const caller = await callerOf(tokens, parent);
        arm();
        await tokens.revokeSelf(caller);
      },
      async ({ store: left, acknowledged, name }) => {
        const tokens = await Tokens.open(
          await Barrier.open([rootKey.slice()], { driver: memoryOver(left), clock }),
          clock,
        );
        const [parentLives = true] = await alive(tokens, [parent]);
        if (acknowledged) expect([name, parentLives]).toEqual([name, false]);
        expect([name, ...(await alive(tokens, below))]).toEqual([name, ...below.map(() => parentLives)]);
        expect([name, ...(await alive(tokens, beside))]).toEqual([name, true, true, true]);
        expect([name, [...left.keys()].filter((path) => path.startsWith("sys/token/revoking/"))]).toEqual([name, []]);
        seen[parentLives ? "alive" : "dead"] += 1;
      },
    );
    expect(crashes).toBeGreaterThan(50);
    expect(seen.alive).toBeGreaterThan(0);
    expect(seen.dead).toBeGreaterThan(50);
  });
});

test("a token whose creation a crash cut off, at any operation, dies with its parent", async () => {
  const { store, clock, rootKey, parent } = await family();
  let created = 0;
  await forEveryCrash(
    store,
    async (driver, arm) => {
      const tokens = await Tokens.open(await Barrier.open([rootKey.slice()], { driver, clock }), clock);
      const caller = await callerOf(tokens, parent);
      arm();
      await tokens.create(caller, made("mine"));
    },
    async ({ store: left, acknowledged, name }) => {
      const tokens = await Tokens.open(
        await Barrier.open([rootKey.slice()], { driver: memoryOver(left), clock }),
        clock,
      );
      const [lives = false] = await alive(tokens, ["mine"]);
      if (acknowledged) expect([name, lives]).toEqual([name, true]);
      if (lives) created += 1;
      await tokens.revokeSelf(await callerOf(tokens, parent));
      expect([name, ...(await alive(tokens, ["mine"]))]).toEqual([name, false]);
    },
  );
  expect(created).toBeGreaterThan(2);
});

describe("creating while revoking", () => {
  const person = fc.constantFrom("root", "A", "B");
  /** Chosen ids collide, with each other and with those of tokens that are being revoked. */
  const id = fc.constantFrom(undefined, undefined, "A", "B", "X");
  const race = fc.array(
    fc.oneof(
      { weight: 2, arbitrary: fc.record({ act: fc.constant("create" as const), by: person, id }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constant("revoke" as const), by: fc.constantFrom("A", "B", "X") }) },
    ),
    { minLength: 2, maxLength: 6 },
  );

  for (const nodes of [1, 2]) {
    test(`on ${nodes} nodes, in any order: no living child of a dead parent, and nobody dies for another`, async () => {
      const property = fc.asyncProperty(fc.scheduler(), race, async (scheduler, given) => {
        const { store, open, root } = await tokenStore();
        const start = (await open()).tokens;
        for (const name of ["A", "B"]) await start.create(await callerOf(start, root), made(name));
        await start.create(await callerOf(start, "A"), made("X"));
        const over = wrapDriver(memoryOver(store, nodes === 1), async (operation, key, act) => {
          await scheduler.schedule(Promise.resolve(), `${operation} ${key}`);
          return act();
        });
        const engines: Tokens[] = [];
        await scheduler.waitFor(
          (async () => {
            for (let i = 0; i < nodes; i += 1) engines.push((await open(over)).tokens);
          })(),
        );
        const engine = (i: number) => engines[i % nodes] ?? start;
        const callers = await scheduler.waitFor(
          Promise.all(given.map(({ by }, i) => callerOf(engine(i), by === "root" ? root : by))),
        );
        const [created, dead]: [{ token: string; accessor: string; by: string }[], Set<string>] = [[], new Set()];
        const work = given.map(async ({ act, by, ...rest }, i) => {
          const caller = callers[i];
          if (caller === undefined) throw new Error("no caller");
          if (act === "revoke") {
            await engine(i).revokeSelf(caller);
            dead.add(by);
          } else {
            const settings = made("id" in rest ? rest.id : undefined);
            const { token, info } = await engine(i).create(caller, settings);
            created.push({ token: token.reveal(), accessor: info.accessor, by });
          }
        });
        await scheduler.waitFor(Promise.allSettled(work));
        const after = (await open()).tokens;
        const lives = async ({ token, accessor }: { token: string; accessor: string }) =>
          (await after.authenticate(token, {}))?.accessor === accessor;
        for (const child of created) {
          const isAlive = await lives(child);
          if (dead.has(child.by)) expect(["child of the dead", isAlive]).toEqual(["child of the dead", false]);
          // A token of a chosen id may be revoked by who held that id before.
          else if (!dead.has(child.token))
            expect(["child of the living", isAlive]).toEqual(["child of the living", true]);
        }
        // What was created beside all this is found by a revocation that comes later.
        for (const name of ["A", "B"]) {
          const caller = await after.authenticate(name, {});
          if (caller !== undefined && !dead.has(name)) await after.revokeSelf(caller);
        }
        const orphaned = await Promise.all(created.filter(({ by }) => by !== "root").map(lives));
        expect(orphaned).toEqual(orphaned.map(() => false));
      });
      await fc.assert(property, { numRuns: runs(150) });
    }, 60_000);
  }

  test("a chosen id that is taken again while its former token goes is found when its parent is revoked", async () => {
    const { store, open, root } = await tokenStore();
    const gated = gate(memoryOver(store));
    const { tokens } = await open(gated.driver);
    await tokens.create(await callerOf(tokens, root), made("A"));
    await tokens.create(await callerOf(tokens, "A"), made("X"));
    const caller = await callerOf(tokens, "X");
    gated.hold = (operation, key) => operation === "delete" && key.startsWith("sys/token/parent/");
    const revoked = tokens.revokeSelf(caller);
    await gated.waiting();
    await tokens.create(await callerOf(tokens, "A"), made("X")).catch(() => undefined);
    gated.open();
    await revoked;
    await tokens.create(await callerOf(tokens, "A"), made("X")).catch(() => undefined);
    expect(await alive(tokens, ["X"])).toEqual([true]);
    await tokens.revokeSelf(await callerOf(tokens, "A"));
    expect(await alive(tokens, ["X"])).toEqual([false]);
  });

  test("a child of which it is not known whether it was written does not outlive its parent", async () => {
    const { store, open, root } = await tokenStore();
    const gated = gate(memoryOver(store));
    const { tokens } = await open(gated.driver);
    await tokens.create(await callerOf(tokens, root), made("A"));
    gated.hold = (operation, key) => operation === "swap" && key.startsWith("sys/token/id/");
    const created = tokens.create(await callerOf(tokens, "A"), made("X"));
    await gated.waiting();
    gated.hold = () => false;
    await tokens.revokeSelf(await callerOf(tokens, "A"));
    const fates: Fate[] = ["unknown, written"];
    gated.fate = () => fates.pop() ?? "done";
    gated.open();
    await rejection(created);
    expect(await alive(tokens, ["A", "X"])).toEqual([false, false]);
  });

  test("in-flight callers cannot bring a dead token back as its own child", async () => {
    const { open, root } = await tokenStore();
    const { tokens } = await open();
    await tokens.create(await callerOf(tokens, root), made("A"));
    const [held, revoker] = [await callerOf(tokens, "A"), await callerOf(tokens, "A")];
    await tokens.revokeSelf(revoker);
    expect(await rejection(tokens.create(held, made("A")))).toBeInstanceOf(Error);
    expect(await tokens.authenticate("A", {})).toBeUndefined();
  });

  test("headers that were seen before stand for the token that is in them now", async () => {
    const { open, root } = await tokenStore();
    const { tokens } = await open();
    await tokens.create(await callerOf(tokens, root), made("A"));
    const headers = {};
    const rootCaller = await tokens.authenticate(root, headers);
    expect(await tokens.authenticate("A", headers)).not.toBe(rootCaller);
    expect(await tokens.authenticate("B", headers)).toBeUndefined();
    expect(await tokens.authenticate(root, headers)).toBe(rootCaller);
  });

  test("a child that is written after its parent's revocation, by a node that dies then, does not live on", async () => {
    const { open, store, root } = await tokenStore();
    let hold: (operation: string) => Promise<void> | undefined = () => undefined;
    const { tokens } = await open(
      wrapDriver(memoryOver(store), async (operation, key, act) => {
        if (key.startsWith("sys/token/id/")) await hold(operation);
        return act();
      }),
    );
    await tokens.create(await callerOf(tokens, root), made("parent", true));
    const [creator, revoker] = [await callerOf(tokens, "parent"), await callerOf(tokens, "parent")];
    const [waiting, go, dying] = [0, 1, 2].map(() => Promise.withResolvers<void>());
    hold = (operation) => (operation === "swap" ? (waiting?.resolve(), go?.promise) : undefined);
    void tokens.create(creator, made("child")).catch(() => undefined);
    await waiting?.promise;
    hold = () => undefined;
    await tokens.revokeSelf(revoker);
    hold = (operation) => (operation === "get" ? (dying?.resolve(), new Promise(() => undefined)) : undefined);
    go?.resolve();
    await dying?.promise;
    const later = await open(memoryOver(new Map(store)));
    expect(await alive(later.tokens, ["parent", "child"])).toEqual([false, false]);
  });
});
