import { expect } from "bun:test";
import { Hono } from "hono";
import recorded from "./recorded-answers.json";
import { coffer, type Outcome, type Situation } from "./spawn.ts";

/** The name of a recorded answer, or an answer that no recording has: a broken or hostile server's. */
export type Answer = keyof typeof recorded | { readonly status: number; readonly text: string };

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A server that only repeats answers which a real one gave (recorded-answers.json), in the order of the test. */
export class RecordedServer implements Disposable {
  readonly address: string;
  /** The requests of the last {@link ask}. */
  seen: Seen[] = [];
  #answers: readonly Answer[] = [];
  readonly #server: Bun.Server<undefined>;

  constructor() {
    const app = new Hono().all("*", async ({ req }) => {
      const { pathname, search } = new URL(req.url);
      const next = this.#answers[this.seen.length];
      this.seen.push({ method: req.method, path: pathname + search, headers: req.raw.headers, body: await req.text() });
      if (next === undefined) return new Response("more requests than answers", { status: 599 });
      if (typeof next === "object") return new Response(next.text, { status: next.status });
      const { status, body }: { status: number; body?: unknown } = recorded[next];
      return new Response(body === undefined ? null : `${JSON.stringify(body)}\n`, { status });
    });
    this.#server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => app.fetch(request) });
    this.address = `http://127.0.0.1:${this.#server.port}`;
  }

  /** Runs the client against these answers; it has to ask for every one of them. */
  async ask(answers: readonly Answer[], args: readonly string[], situation: Situation = {}): Promise<Outcome> {
    this.#answers = answers;
    this.seen = [];
    const env = { COFFER_ADDR: this.address, COFFER_TOKEN: "the-token", ...situation.env };
    const outcome = await coffer(args, { ...situation, env });
    expect(this.seen).toHaveLength(answers.length);
    return outcome;
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}
