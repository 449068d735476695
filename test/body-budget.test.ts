/** The room that larger bodies have together. */
import { expect, test } from "bun:test";
import { BodyBudget, type BodyPlace } from "../core/http/body-budget.ts";
import { rejection, testClock } from "./harness.ts";

const MIB = 1024 * 1024;
const ROOM = 64 * MIB;

function opened() {
  const clock = testClock();
  const budget = new BodyBudget(clock);
  const isFull = (place: BodyPlace, bytes: number) => {
    try {
      place.cover(bytes);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: "overloaded", retryAfter: 1 });
      return true;
    }
  };
  return { clock, budget, isFull };
}

test("who goes on sending keeps his for ten seconds", () => {
  const { clock, budget, isFull } = opened();
  const first = budget.open();
  first.cover(60 * MIB);
  for (let second = 1; second <= 10; second += 1) {
    clock.advance(999);
    first.cover(60 * MIB + second);
    expect(isFull(budget.open(), 5 * MIB)).toBe(true);
  }
  clock.advance(10);
  expect(isFull(budget.open(), 5 * MIB)).toBe(false);
  // Though there is room for it again.
  expect(isFull(first, 100 * 1024)).toBe(true);
});

test("who came first makes way first, and no more than have to", async () => {
  const { clock, budget } = opened();
  const places = [30, 20, 10].map((mib) => {
    const place = budget.open();
    place.cover(mib * MIB);
    return place;
  });
  const waiting = places.map((place) => rejection(place.unlessEvicted(new Promise(() => undefined))));
  clock.advance(1000);
  budget.open().cover(30 * MIB);
  expect(await waiting[0]).toMatchObject({ code: "overloaded" });
  expect(await Promise.race([waiting[1], waiting[2], Promise.resolve("nobody")])).toBe("nobody");
});

test("what is given back is there for others, small bodies need none, and nobody makes way for himself", () => {
  const { clock, budget, isFull } = opened();
  const all = budget.open();
  all.cover(ROOM);
  clock.advance(20_000);
  expect(isFull(all, ROOM + 1)).toBe(true);
  expect(isFull(all, ROOM)).toBe(false);
  budget.open().cover(64 * 1024);
  all[Symbol.dispose]();
  all[Symbol.dispose]();
  const next = budget.open();
  next.cover(ROOM);
  expect(isFull(budget.open(), 1024 * 1024)).toBe(true);
});
