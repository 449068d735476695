import { expect } from "bun:test";
import * as fc from "fast-check";
import type { Driver, Page } from "../storage/driver.ts";

type Model = Map<string, Uint8Array>;
interface Real {
  driver: Driver;
  readonly reopen: (() => Promise<Driver>) | undefined;
}

class Command implements fc.AsyncCommand<Model, Real> {
  readonly #text: string;
  readonly #run: (model: Model, real: Real) => Promise<void>;

  constructor(run: (model: Model, real: Real) => Promise<void>, ...shown: unknown[]) {
    this.#run = run;
    this.#text = shown.map((part) => fc.stringify(part)).join(" ");
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): Promise<void> {
    return this.#run(model, real);
  }

  toString(): string {
    return this.#text;
  }
}

/** What is read, and read again: a driver may keep it. */
async function expectStored(driver: Driver, key: string, value: Uint8Array | undefined): Promise<void> {
  for (let read = 0; read < 2; read += 1) expect(await driver.get(key)).toEqual(value);
}

/** Few enough to meet again; `.` and `-` sort before `/`, `0` after it, and the last two differ in UTF-16's order. */
const SEGMENT = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("a", "b", "a-", "a.", "a0", "..", "_", "%", "\u{1F600}", "\uFFFD") },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 4 }).map((s) => s.replaceAll("/", "|")),
  },
);
const KEY = fc.array(SEGMENT, { minLength: 1, maxLength: 3 }).map((segments) => segments.join("/"));
const FOLDER = fc.array(SEGMENT, { maxLength: 2 }).map((segments) => segments.map((segment) => `${segment}/`).join(""));
const VALUE = fc.uint8Array({ maxLength: 3, max: 2 });
const PAGE = fc.record({ after: fc.oneof(SEGMENT, FOLDER, KEY), limit: fc.nat({ max: 5 }) }, { requiredKeys: [] });

const put = fc.tuple(KEY, VALUE).map(
  ([key, value]) =>
    new Command(
      async (model, { driver }) => {
        await driver.put(key, value);
        model.set(key, value);
        await expectStored(driver, key, value);
      },
      "put",
      key,
      value,
    ),
);

const remove = KEY.map(
  (key) =>
    new Command(
      async (model, { driver }) => {
        await driver.delete(key);
        model.delete(key);
        await expectStored(driver, key, undefined);
      },
      "delete",
      key,
    ),
);

const swap = fc.tuple(KEY, fc.constantFrom("stored", "other"), fc.option(VALUE), fc.option(VALUE)).map(
  ([key, which, other, next]) =>
    new Command(
      async (model, { driver }) => {
        const stored = model.get(key);
        const was = which === "stored" ? stored : (other ?? undefined);
        const value = next ?? undefined;
        const matches = hex(stored) === hex(was);
        expect(await driver.swap(key, was, value)).toBe(matches);
        if (matches && value === undefined) model.delete(key);
        else if (matches && value !== undefined) model.set(key, value);
        await expectStored(driver, key, model.get(key));
      },
      "swap",
      key,
      which,
      other,
      next,
    ),
);

const list = fc.tuple(FOLDER, PAGE).map(
  ([folder, page]) =>
    new Command(
      async (model, { driver }) => {
        expect(await driver.list(folder, page)).toEqual(listed(model.keys(), folder, page));
      },
      "list",
      folder,
      page,
    ),
);

const reopen = fc.constant(
  new Command(async (model, real) => {
    real.driver = (await real.reopen?.()) ?? real.driver;
    for (const [key, value] of model) await expectStored(real.driver, key, value);
  }, "reopen"),
);

/** Any sequence of calls. Writes are more frequent than the rest, and a reopen is rare: it costs the most. */
export const commands = fc.commands([put, put, put, swap, swap, remove, list, list, reopen], { maxCommands: 40 });

/** What a folder should list, by the plainest means. */
export function listed(keys: Iterable<string>, folder: string, { after = "", limit = Infinity }: Page = {}): string[] {
  const children = [...keys].filter((key) => key.startsWith(folder)).map((key) => childOf(key.slice(folder.length)));
  const sorted = [...new Set(children)].sort(compareBytes);
  return sorted.filter((child) => compareBytes(child, after) > 0).slice(0, limit);
}

function childOf(rest: string): string {
  return rest.includes("/") ? rest.slice(0, rest.indexOf("/") + 1) : rest;
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes?.toHex();
}
