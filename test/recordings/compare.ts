/**
 * Whether an answer is as good as the recorded one: the same status, the same keys, JSON types and booleans, the same
 * strings where clients look at them. Ids, times, versions and counts are values of the server that was recorded.
 */
import type { Recorded } from "./recording.ts";

/** Keys whose strings, and lengths of lists, are part of the contract. */
const FIXED = new Set(
  `type token_type display_name path policies token_policies identity_policies capabilities operation creation_path
  mount_type mount_point mount_class status name listing_visibility interval replication_performance_mode
  replication_dr_mode delete_version_after keys errors`.split(/\s+/),
);

/** What differs, in words; nothing when the answer is as good. `volatile`: pointers of places with other values each time. */
export function differences(want: Recorded, got: Recorded, volatile: readonly string[]): string[] {
  const found = want.status === got.status ? [] : [`status ${got.status} instead of ${want.status}`];
  if (want.text !== got.text) found.push(`text ${got.text} instead of ${want.text}`);
  return [...found, ...compare(want.body, got.body, new Set(volatile), "", "")];
}

function compare(want: unknown, got: unknown, volatile: ReadonlySet<string>, at: string, key: string): string[] {
  if (kindOf(want) !== kindOf(got)) return [`${at || "/"}: ${kindOf(got)} instead of ${kindOf(want)}`];
  if (Array.isArray(want) && Array.isArray(got)) return compareLists(want, got, volatile, at, key);
  if (isMap(want) && isMap(got)) return compareMaps(want, got, volatile, at, key);
  const counts = typeof want === "boolean" || (typeof want === "string" && FIXED.has(key));
  if (!counts || want === got || volatile.has(at)) return [];
  return [`${at}: ${String(got)} instead of ${String(want)}`];
}

function compareLists(
  want: readonly unknown[],
  got: readonly unknown[],
  volatile: ReadonlySet<string>,
  at: string,
  key: string,
): string[] {
  if (volatile.has(at)) {
    if ((want.length === 0) !== (got.length === 0)) return [`${at}: ${got.length} entries instead of ${want.length}`];
    return typeof want[0] === "object" ? compare(want[0], got[0], volatile, `${at}/0`, key) : [];
  }
  if (want.length !== got.length) return [`${at}: ${got.length} entries instead of ${want.length}`];
  return want.flatMap((value, index) => compare(value, got[index], volatile, `${at}/${index}`, key));
}

function compareMaps(want: Map, got: Map, volatile: ReadonlySet<string>, at: string, key: string): string[] {
  const [wanted, given] = [Object.keys(want), Object.keys(got)];
  if (volatile.has(at)) {
    // The keys are ids: only the shape of one entry can be compared.
    if ((wanted.length === 0) !== (given.length === 0))
      return [`${at}: ${given.length} keys instead of ${wanted.length}`];
    return compare(Object.values(want)[0], Object.values(got)[0], volatile, `${at}/*`, key);
  }
  return [
    ...wanted.filter((name) => !Object.hasOwn(got, name)).map((name) => `${at}/${name} is missing`),
    ...given.filter((name) => !Object.hasOwn(want, name)).map((name) => `${at}/${name} is not in the recording`),
    ...wanted
      .filter((name) => Object.hasOwn(got, name))
      .flatMap((name) => compare(want[name], got[name], volatile, `${at}/${escapePointer(name)}`, name)),
  ];
}

type Map = Readonly<Record<string, unknown>>;

function isMap(value: unknown): value is Map {
  return kindOf(value) === "object";
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** RFC 6901. */
function escapePointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
