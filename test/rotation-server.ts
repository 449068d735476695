/** A server in this process whose keyring and entries the tests of rotation look at as they are stored. */
import { expect } from "bun:test";
import { KEYRING_PATH } from "../core/barrier/keyring.ts";
import type { Driver } from "../storage/driver.ts";
import { type CallOptions, memoryOver, startCoffer, testClock, type TestClock, wrapDriver } from "./harness.ts";
import { storedKeyring } from "./stored-keyring.ts";
import { splitFrame } from "./vault-format.ts";

interface Options {
  readonly driver?: (store: Map<string, Uint8Array>) => Driver;
  readonly clock?: TestClock;
  readonly minOperations?: number;
}

/** An unsealed server with a kv engine at kv/, and a look at what it stores. */
export async function start({ driver = memoryOver, clock = testClock(), minOperations = 10 }: Options = {}) {
  const store = new Map<string, Uint8Array>();
  const options = { clock, minOperations };
  const server = await startCoffer({ driver: driver(store), ...options });
  const known = await server.initAndUnseal(1, 1);
  const ask = (method: string, path: string, body?: unknown, rest: CallOptions = {}) =>
    server.call(method, path, { token: known.token, ...(body !== undefined && { body }), ...rest });
  const share = known.keys[0] ?? "";
  await ask("POST", "sys/mounts/kv", { type: "kv" });
  return {
    ...server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    ask,
    store,
    known,
    share,
    clock,
    put: async (name: string) => {
      const { status, text } = await ask("PUT", `kv/${name}`, { name });
      if (status !== 204) throw new Error(`the write of ${name} answered ${status}: ${text}`);
    },
    read: async (name: string) => (await ask("GET", `kv/${name}`)).body["data"],
    status: async () => (await ask("GET", "sys/key-status")).body["data"] as { term: number; encryptions: number },
    config: async () => (await ask("GET", "sys/rotate/config")).body["data"],
    configure: async (body: object) => expect((await ask("POST", "sys/rotate/config", body)).status).toBe(204),
    keyring: () => storedKeyring(store, share),
    /** Another server over the same store, unsealed. */
    async beside() {
      const other = await startCoffer({ driver: driver(store), ...options });
      await other.unseal(known.keys);
      return other;
    },
    termOf: (name: string) => {
      const path = [...store.keys()].find((key) => key.startsWith("logical/") && key.endsWith(`/${name}`)) ?? "";
      return splitFrame(store.get(path) ?? new Uint8Array()).term;
    },
  };
}

/** A driver that does `before` ahead of every swap of the keyring, and `after` when it is done but not answered. */
export function aroundSwaps(hooks: { before?: () => Promise<void> | void; after?: () => Promise<void> | void }) {
  return (store: Map<string, Uint8Array>) =>
    wrapDriver(memoryOver(store, false), async (operation, key, act) => {
      const isSwap = operation === "swap" && key === KEYRING_PATH;
      if (isSwap) await hooks.before?.();
      const result = await act();
      if (isSwap) await hooks.after?.();
      return result;
    });
}
