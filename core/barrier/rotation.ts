/**
 * When the active term is replaced: by hand, after a number of encryptions, at an age. Each decision is part of the swap
 * of the keyring that carries it out, so no two nodes replace the same term twice and none is ever lost.
 *
 * The bound on encryptions is exact: a reservation never reaches past it, and the one that finds nothing left puts the
 * new term and its first block into the keyring at once (SP 800-38D, section 8.3 is why there is a bound).
 */
import type { Clock } from "../clock.ts";
import { ApiError, invalid } from "../errors.ts";
import type { RotationChange, RotationSettings } from "../needs.ts";
import { activeTerm, addTerm, type Keyring, keyringBytes, MAX_OPERATIONS, withEncryptions } from "./keyring.ts";

/** What the engine may be told to allow below Vault's limits, for tests; the API cannot reach it. */
export interface RotationLimits {
  /** The least that `max_operations` may be set to. */
  readonly minOperations: number;
  /** The largest keyring in bytes, which is the driver's largest value. */
  readonly maxKeyring: number;
}

export const MIN_OPERATIONS = 1_000_000;
/** Seconds: 24 hours. */
export const MIN_INTERVAL = 86_400;

/** Bytes of the keyring that no new term may take: counts and settings grow by some digits, also in a full one. */
const SPARE = 256;

/**
 * The settings as they count. A keyring that another server wrote may hold some out of bounds, 0 for none among them;
 * they are read as that server reads them.
 */
export function settingsInForce({ rotation }: Keyring, { minOperations }: RotationLimits): RotationSettings {
  const { enabled, maxOperations, interval } = rotation;
  const isUnbound = maxOperations <= 0 || maxOperations > MAX_OPERATIONS;
  return {
    enabled,
    maxOperations: isUnbound ? MAX_OPERATIONS : Math.max(maxOperations, minOperations),
    interval: interval > 0 ? Math.max(interval, MIN_INTERVAL) : 0,
  };
}

/**
 * The keyring with a new active term. `now`: milliseconds since 1970. Throws ApiError when there is no room for another
 * one: a keyring that could not be written at the next reservation would stop all writes.
 */
export function withNewTerm(keyring: Keyring, limits: RotationLimits, now: number): Keyring {
  const added = addTermIfRoom(keyring, limits, now);
  if (added !== undefined) return added;
  throw new ApiError("internal", `the keyring has no room for another term: it may have ${limits.maxKeyring} bytes`);
}

function addTermIfRoom(keyring: Keyring, { maxKeyring }: RotationLimits, now: number): Keyring | undefined {
  const added = addTerm(keyring, now);
  return keyringBytes(added) + SPARE <= maxKeyring ? added : undefined;
}

/**
 * The number of encryptions that the active term may reach; undefined while rotation by count is off.
 *
 * From half of the largest keyring on it is the default, whatever is set: a small bound under load would go on adding
 * terms until there is no room for another one.
 */
export function boundInForce(keyring: Keyring, limits: RotationLimits): number | undefined {
  const { enabled, maxOperations } = settingsInForce(keyring, limits);
  if (!enabled) return undefined;
  return isHalfFull(keyring, limits.maxKeyring) ? MAX_OPERATIONS : maxOperations;
}

/** Whether the keyring has grown so far that the default bound is in force. */
export function isHalfFull(keyring: Keyring, maxKeyring: number): boolean {
  return keyringBytes(keyring) >= maxKeyring / 2;
}

/** How many encryptions may still be reserved under the active term: infinitely many while rotation by count is off. */
export function roomIn(keyring: Keyring, limits: RotationLimits): number {
  return (boundInForce(keyring, limits) ?? Number.POSITIVE_INFINITY) - activeTerm(keyring).encryptions;
}

/**
 * Reserves up to `wanted` encryptions under the active term; under a new one when the active one has none left. Returns
 * the keyring to swap in, and how many were granted.
 */
export function reserve(
  keyring: Keyring,
  wanted: number,
  limits: RotationLimits,
  clock: Clock,
): { readonly keyring: Keyring; readonly granted: number } {
  const target = roomIn(keyring, limits) > 0 ? keyring : withNewTerm(keyring, limits, clock.now());
  const granted = Math.min(wanted, roomIn(target, limits));
  return { keyring: withEncryptions(target, activeTerm(target).term, granted) ?? target, granted };
}

/**
 * Throws ApiError `invalid`, with Vault's texts and in Vault's order, for settings out of bounds. An interval of 0 is
 * none.
 */
export function checkSettings({ maxOperations, interval }: RotationChange, limits: RotationLimits): void {
  if (interval !== undefined && interval !== 0 && interval < MIN_INTERVAL) {
    throw invalid("interval must be greater or equal to 24h0m0s");
  }
  if (maxOperations !== undefined && (maxOperations < limits.minOperations || maxOperations > MAX_OPERATIONS)) {
    throw invalid(`max_operations must be in the range [${limits.minOperations},${MAX_OPERATIONS}]`);
  }
}

/** The keyring with these settings, the others as they are; undefined when that changes nothing. */
export function withSettings(keyring: Keyring, settings: RotationChange): Keyring | undefined {
  const was = keyring.rotation;
  const rotation = {
    enabled: settings.enabled ?? was.enabled,
    maxOperations: settings.maxOperations ?? was.maxOperations,
    interval: settings.interval ?? was.interval,
  };
  const same =
    rotation.enabled === was.enabled &&
    rotation.maxOperations === was.maxOperations &&
    rotation.interval === was.interval;
  return same ? undefined : { ...keyring, rotation };
}

/**
 * The keyring with its active term replaced if that is at or past the bound or the age in force, and if there is room
 * for another term; else undefined.
 */
export function rotateIfDue(keyring: Keyring, limits: RotationLimits, clock: Clock): Keyring | undefined {
  const bound = boundInForce(keyring, limits);
  const { encryptions, installTime } = activeTerm(keyring);
  const { enabled, interval } = settingsInForce(keyring, limits);
  const age = clock.now() - Date.parse(installTime);
  const isOld = enabled && interval > 0 && age >= interval * 1000;
  const isUsedUp = bound !== undefined && encryptions >= bound;
  return isOld || isUsedUp ? addTermIfRoom(keyring, limits, clock.now()) : undefined;
}
