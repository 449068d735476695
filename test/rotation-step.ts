/** What one stored keyring may become in a single step: nothing about keys happens in any other way. */
import type { VaultKeyring } from "./vault-format.ts";

/** A body of `sys/rotate/config`; `interval` in seconds. */
export interface Change {
  readonly max_operations?: number;
  readonly interval?: number;
  readonly enabled?: boolean;
}

/** A change that was sent and may be stored at any moment. */
export interface Sent {
  readonly change: Change;
  /** Whether what it asks for has been stored since. */
  stored: boolean;
}

/** Throws for a step that no rotation, reservation, return of a rest or change of `sent` explains. */
export function checkStep(
  before: VaultKeyring,
  after: VaultKeyring,
  bound: number | undefined,
  sent: ReadonlySet<Sent>,
): void {
  checkTerms(before, after);
  for (const { term, encryptions } of after.keys) {
    const was = before.keys.find((key) => key.term === term)?.encryptions ?? 0;
    if (encryptions <= was) continue;
    if (term !== after.keys.at(-1)?.term) throw new Error(`encryptions were reserved under the former term ${term}`);
    if (bound !== undefined && encryptions > bound) throw new Error(`${encryptions} reserved, the bound is ${bound}`);
  }
  if (settingsAfter(before, {}) === settingsAfter(after, {})) return;
  const explains = ({ change }: Sent) => settingsAfter(before, change) === settingsAfter(after, {});
  if (![...sent].some(explains)) throw new Error(`nobody asked for ${settingsAfter(after, {})}`);
  markStored(after, sent);
  const reached = after.keys.at(-1)?.encryptions ?? 0;
  if (bound !== undefined && reached >= bound) throw new Error(`${bound} was set, ${reached} are reached, no rotation`);
}

/** Notes which of `sent` ask for nothing else than what `keyring` has. */
export function markStored(keyring: VaultKeyring, sent: Iterable<Sent>): void {
  for (const one of sent) one.stored ||= settingsAfter(keyring, one.change) === settingsAfter(keyring, {});
}

function checkTerms(before: VaultKeyring, after: VaultKeyring): void {
  for (const [index, { term, value, installTime }] of before.keys.entries()) {
    const kept = after.keys[index];
    const same = kept?.term === term && Buffer.from(value).equals(kept.value) && +installTime === +kept.installTime;
    if (!same) throw new Error(`term ${term} is gone, or another`);
  }
  const added = after.keys.slice(before.keys.length);
  if (added.length > 1) throw new Error(`${added.length} terms were added at once`);
  const last = before.keys.at(-1)?.term ?? 0;
  if (added[0] !== undefined && added[0].term !== last + 1) throw new Error(`term ${added[0].term} follows ${last}`);
}

type Settings = Pick<VaultKeyring, "disabled" | "maxOperations" | "interval">;

const NONE: Settings = { disabled: false, maxOperations: 0, interval: 0 };

/** The settings that `change` makes of those of `keyring`, as a text to compare. */
export function settingsAfter(keyring: Settings = NONE, { max_operations, interval, enabled }: Change): string {
  return JSON.stringify({
    disabled: enabled === undefined ? keyring.disabled : !enabled,
    maxOperations: max_operations ?? keyring.maxOperations,
    interval: interval === undefined ? keyring.interval : interval * 1e9,
  });
}
