/** Stores of tokens, and a family of tokens in one, for the tests of tokens. */
import { TOKEN_SALT_PATH, Tokens } from "../core/access/tokens.ts";
import type { Caller, TokenSettings } from "../core/needs.ts";
import type { Driver } from "../storage/driver.ts";
import { barrierStore } from "./barrier-store.ts";
import { memoryOver } from "./harness.ts";

export const made = (id?: string, orphan = false): TokenSettings => ({ id, displayName: "token", meta: null, orphan });

/** A token store with its root token, and ways to open it anew. */
export async function tokenStore() {
  const base = barrierStore();
  const first = await base.open();
  await first.put(TOKEN_SALT_PATH, Tokens.newSalt());
  const root = await (await Tokens.open(first, base.clock)).createRoot();
  await first.close();
  const open = async (driver: Driver = memoryOver(base.store)) => {
    const barrier = await base.open(driver);
    return { barrier, tokens: await Tokens.open(barrier, base.clock) };
  };
  return { ...base, root, open };
}

export async function callerOf(tokens: Tokens, token: string): Promise<Caller> {
  const caller = await tokens.authenticate(token, {});
  if (caller === undefined) throw new Error("the token is not valid");
  return caller;
}

/** root → parent → {child → grandchild, another}, and beside them an orphan that parent made, and a sibling. */
export async function family() {
  const store = await tokenStore();
  const { tokens, barrier } = await store.open();
  const grow = async (under: string, orphan = false) =>
    (await tokens.create(await callerOf(tokens, under), made(undefined, orphan))).token.reveal();
  const parent = await grow(store.root);
  const sibling = await grow(store.root);
  const child = await grow(parent);
  const grandchild = await grow(child);
  const another = await grow(parent);
  const orphan = await grow(parent, true);
  await barrier.close();
  return { ...store, parent, below: [child, grandchild, another], beside: [store.root, sibling, orphan] };
}

export async function alive(tokens: Tokens, held: readonly string[]): Promise<boolean[]> {
  return Promise.all(held.map(async (token) => (await tokens.authenticate(token, {})) !== undefined));
}
