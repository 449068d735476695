/** Cases of request smuggling that were published. Nothing is taken for a request that a proxy in front may have sent as a body. */
import { expect, test } from "bun:test";
import published from "../data/smuggling.json" with { type: "json" };
import { converse } from "./conversation.ts";

test.each(published.cases.map((row) => [row.source, row.name, row] as const))(
  "%s: %s",
  async (_source, _name, { stream, expect: expected }) => {
    for (const pieces of [[stream], stream.split("")]) {
      const { seen, answers } = await converse(pieces);
      const taken = seen.map(({ method, target, body }) => `${method} ${target} ${body}`);
      expect(taken.filter((request) => request.includes("smuggled"))).toEqual([]);
      expect(taken).toEqual(typeof expected === "string" ? [] : expected);
      const refusals = answers.filter(({ status }) => status >= 400);
      for (const { headers } of refusals) expect(headers.get("connection")).toBe("close");
      if (expected === "refused") expect(refusals.length).toBe(1);
    }
  },
);
