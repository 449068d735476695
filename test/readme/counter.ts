import { defineEngine, fromUtf8, route, utf8 } from "../../core/plugin.ts";

export default defineEngine({
  type: "counter",
  version: "1",
  summary: "Numbers that go up",
  mount: ({ view }) => [
    route({
      operation: "update",
      path: ":name",
      summary: "Count one more",
      async handle({ params: { name = "" } }) {
        for (;;) {
          const entry = await view.read(name);
          const count = 1 + Number(entry === undefined ? 0 : fromUtf8(entry.value));
          const stored = await view.swap(name, entry?.stored, utf8(String(count)));
          if (stored !== undefined) return { kind: "data", data: { count } };
        }
      },
    }),
  ],
});
