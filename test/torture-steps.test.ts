/** `kill -9` in the middle of what takes several writes: afterwards all of it is there or nothing. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { newFolder, type Server, startServer } from "./executable.ts";
import { announceSeed, atTheEnd, encryptions, KILLS, killWithin, sealedEntries } from "./kill.ts";

const ROUNDS = KILLS / 4;

/** One step that is cut off: what is sent, and what must hold afterwards, whether it was answered or not. */
interface Step {
  readonly name: string;
  /** What must be there before. */
  prepare?(server: Server, token: string, id: string): Promise<void>;
  /** Resolves when the server has answered, true when it said that it is done. */
  act(server: Server, token: string, id: string): Promise<boolean>;
  check(server: Server, token: string, id: string, isDone: boolean): Promise<void>;
}

const answered = (status: number) => status >= 200 && status < 300;

async function createToken(server: Server, id: string, parent: string): Promise<boolean> {
  return answered((await server.call("POST", "auth/token/create", { token: parent, body: { id } })).status);
}

async function isValid(server: Server, token: string): Promise<boolean> {
  const { status } = await server.call("GET", "auth/token/lookup-self", { token });
  expect([200, 403]).toContain(status);
  return status === 200;
}

async function isMounted(server: Server, token: string, path: string): Promise<boolean> {
  return Object.hasOwn((await server.call("GET", "sys/mounts", { token })).body, `${path}/`);
}

const ENTRIES = Array.from({ length: 40 }, (_, index) => `entry${index}`);

const STEPS: readonly Step[] = [
  {
    name: "mount",
    async act(server, token, id) {
      return answered((await server.call("POST", `sys/mounts/${id}`, { token, body: { type: "kv" } })).status);
    },
    async check(server, token, id, isDone) {
      const isThere = await isMounted(server, token, id);
      if (isDone) expect(isThere).toBe(true);
      const { status } = await server.call("PUT", `${id}/a`, { token, body: { a: 1 } });
      expect(status).toBe(isThere ? 204 : 404);
    },
  },
  {
    name: "unmount",
    async prepare(server, token, id) {
      await server.call("POST", `sys/mounts/${id}`, { token, body: { type: "kv" } });
      for (const name of ENTRIES) await server.call("PUT", `${id}/${name}`, { token, body: { name } });
    },
    async act(server, token, id) {
      return answered((await server.call("DELETE", `sys/mounts/${id}`, { token })).status);
    },
    async check(server, token, id, isDone) {
      const isThere = await isMounted(server, token, id);
      if (isDone) expect(isThere).toBe(false);
      // All of it or nothing.
      for (const name of ENTRIES)
        expect((await server.call("GET", `${id}/${name}`, { token })).status).toBe(isThere ? 200 : 404);
    },
  },
  {
    name: "create a token",
    act: (server, token, id) => createToken(server, id, token),
    async check(server, _token, id, isDone) {
      if (isDone) expect(await isValid(server, id)).toBe(true);
    },
  },
  {
    name: "revoke a token",
    async prepare(server, token, id) {
      await createToken(server, id, token);
      for (const name of ["b", "c", "d"]) await createToken(server, id + name, id);
      await createToken(server, `${id}bb`, `${id}b`);
    },
    async act(server, _token, id) {
      return answered((await server.call("POST", "auth/token/revoke-self", { token: id })).status);
    },
    async check(server, _token, id, isDone) {
      const isThere = await isValid(server, id);
      if (isDone) expect(isThere).toBe(false);
      // No child outlives its parent.
      for (const name of ["b", "c", "d", "bb"]) expect(await isValid(server, id + name)).toBe(isThere);
    },
  },
];

test(
  "a kill in the middle of a mount, an unmount or a token, or of the unseal after it, leaves all of it or nothing",
  async () => {
    const random = announceSeed();
    const folder = join(newFolder(), "store");
    const args = ["--storage", `file:${folder}`, "--log-level", "error"];
    let server = await startServer({ args });
    await using _ = atTheEnd(() => server);
    const { token, keys } = await server.initAndUnseal();
    let done = 0;

    for (let round = 0; round < ROUNDS; round += 1) {
      for (const step of STEPS) {
        const id = `${step.name.replaceAll(" ", "-")}-${round}`;
        await step.prepare?.(server, token, id);
        const killed = killWithin(server, 12, random);
        const isDone = await step.act(server, token, id).catch(() => false);
        await killed;
        if (isDone) done += 1;

        const sealed = sealedEntries(folder).length;
        server = await startServer({ args });
        if (random() < 0.3) {
          // The unseal, which finishes what was cut off, is cut off itself.
          const unsealed = server.unseal(keys).catch(() => undefined);
          await killWithin(server, 12, random);
          await unsealed;
          server = await startServer({ args });
        }
        await server.unseal(keys);
        expect(await encryptions(server, token)).toBeGreaterThanOrEqual(sealed);
        await step.check(server, token, id, isDone);
      }
    }
    expect(await server.stop()).toBe(0);
    // What was unmounted has left nothing behind: the rest belongs to a mount that is there.
    server = await startServer({ args });
    await server.unseal(keys);
    const mounts = Object.values((await server.call("GET", "sys/mounts", { token })).body["data"] as object) as {
      uuid: string;
    }[];
    expect(await server.stop()).toBe(0);
    const owners = sealedEntries(folder).map((path) => /^logical\/([^/]+)\//.exec(path)?.[1]);
    const known = mounts.map(({ uuid }) => uuid);
    expect(owners.filter((uuid) => uuid !== undefined && !known.includes(uuid))).toEqual([]);
    console.log(`${done} of ${ROUNDS * STEPS.length} steps were answered before the kill`);
  },
  KILLS * 3000,
);

test(
  "a kill in the middle of an init leaves a store that is initialised, or one that can be at once",
  async () => {
    const random = announceSeed();
    const outcomes = { answered: 0, lost: 0, nothing: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const args = ["--storage", `file:${newFolder()}/store`, "--log-level", "error"];
      const doomed = await startServer({ args });
      const killed = killWithin(doomed, 120, random);
      const settings = { secret_shares: 3, secret_threshold: 2 };
      const answer = await doomed.call("PUT", "sys/init", { body: settings }).catch(() => undefined);
      await killed;

      await using server = await startServer({ args });
      const { body } = await server.call("GET", "sys/init");
      if (answer?.status === 200) {
        outcomes.answered += 1;
        expect(body).toEqual({ initialized: true });
        await server.unseal(answer.body["keys"] as string[]);
        expect(await isValid(server, String(answer.body["root_token"]))).toBe(true);
      } else if (body["initialized"] === true) {
        outcomes.lost += 1;
      } else {
        outcomes.nothing += 1;
        const { token } = await server.initAndUnseal();
        expect(await isValid(server, token)).toBe(true);
      }
    }
    console.log(`of ${ROUNDS} inits: ${JSON.stringify(outcomes)}`);
  },
  KILLS * 3000,
);
