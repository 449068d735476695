/** Tables as `vault` prints them: columns four spaces apart, a line of dashes under the head, "n/a" for an empty cell. */

import { formatDurationShort } from "../core/duration.ts";
import { escapeLine } from "./escape.ts";
import { isObject, numberText } from "./json.ts";

/** In code points, as `vault` counts: a table with wide or combining characters is a little ragged. */
const width = (text: string): number => Array.from(text).length;

/** Rows as aligned columns, without a head. Cells are escaped: a value cannot break out of its line. Ends in a line break. */
export function columns(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => escapeLine(cell) || "n/a"));
  const widths: number[] = [];
  for (const row of cells) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, width(cell))));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell + " ".repeat((widths[at] ?? 0) - width(cell))))
      .join("    ");
  return cells.map((row) => `${line(row)}\n`).join("");
}

/** {@link columns} under a head. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return columns([head, head.map((title) => "-".repeat(width(title))), ...rows]);
}

/** A JSON object as Key/Value table, sorted by key. Empty for an empty object, as in `vault`. */
export function keyValueTable(data: Readonly<Record<string, unknown>>): string {
  const rows = Object.keys(data)
    .sort()
    .map((key) => [key, valueText(key, data[key])]);
  return rows.length === 0 ? "" : table(["Key", "Value"], rows);
}

/** `title` between equal signs, as wide as the table of `data` that follows: `====== Data ======`. Ends in a line break. */
export function tableTitle(title: string, data: Readonly<Record<string, unknown>>): string {
  const widest = Math.max(0, ...Object.keys(data).map(width)) + "    Value".length;
  const signs = widest - (width(title) + 2);
  const half = "=".repeat(Math.ceil((signs <= 0 ? 4 : signs) / 2));
  return `${half} ${title} ${half}\n`;
}

// Keys whose number of seconds `vault` shows as a duration.
const DURATION = /^(?:lease_max|ttl_max)$|(?:^|_)(?:period|ttl|duration)$/;

function valueText(key: string, value: unknown): string {
  return DURATION.test(key) && typeof value === "number" ? durationText(value) : plainText(value);
}

/**
 * A JSON value in Go's notation (`map[a:1 b:[x y]]`, `<nil>`), which is what `vault` shows in tables and for `-field`;
 * whoever wants a nested value whole asks for `-format=json`.
 */
export function plainText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map(plainText).join(" ")}]`;
  if (isObject(value)) {
    const entries = Object.keys(value)
      .sort()
      .map((key) => `${key}:${plainText(value[key])}`);
    return `map[${entries.join(" ")}]`;
  }
  return numberText(value) ?? "<nil>";
}

/** Whole seconds in the shortest of Go's notations: `768h`, `1h30m`, `90s` is `1m30s`. */
function durationText(seconds: number): string {
  return Number.isInteger(seconds) && seconds > 0 ? formatDurationShort(seconds) : `${seconds}s`;
}
