/** When the app makes an answer, as the budget of a listener has it. */
import { describe, expect, test } from "bun:test";
import type { AnswerBudget } from "../core/http/answer-budget.ts";
import { utf8 } from "../core/encoding.ts";
import { incomingOf } from "../core/http/incoming.ts";
import { parseObjectText } from "../core/http/json.ts";
import { replySize } from "../core/http/reply-size.ts";
import { declare, testDevice } from "./audit-device.ts";
import { openStore } from "./file-store.ts";
import { startCoffer, turns } from "./harness.ts";
import { openMemory } from "../storage/memory.ts";

const LARGE = "x".repeat(100_000);

/** A server with a large secret, and a budget whose turns come when the test says so. */
async function opened(isAudited: boolean, driver = openMemory()) {
  const device = testDevice();
  const server = await startCoffer({ driver, ...(isAudited && { audit: declare({ one: device }) }) });
  const { token } = await server.initAndUnseal();
  await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
  const put = (path: string, value: string) => server.call("PUT", path, { token, body: { value } });
  await put("kv/large", LARGE);
  device.fresh();
  const state = { isOver: false, waiting: [] as ((isWanted: boolean) => void)[], kept: 0 };
  const answers: AnswerBudget = {
    get isOver() {
      return state.isOver;
    },
    turn: () => new Promise((resolve) => state.waiting.push(resolve)),
    keep(bytes) {
      state.kept += bytes;
      return { [Symbol.dispose]: () => void (state.kept -= bytes) };
    },
  };
  const ask = async (method: string, path: string, body?: string) => {
    const init = { method, headers: { "x-vault-token": token }, ...(body !== undefined && { body }) };
    const request = incomingOf(new Request(`http://127.0.0.1/v1/${path}`, init), { address: undefined });
    return server.answer({ ...request, answers });
  };
  const read = (path: string) => ask("GET", path);
  /** Of a budget that is used up by one answer. */
  const useUp = () => Object.defineProperty(state, "isOver", { get: () => state.kept > 0 });
  return { server, put, device, state, useUp, ask, read };
}

test.each([[true], [false]])(
  "no answer is made before its turn, but for what monitors ask and what writes (audited: %p)",
  async (audited) => {
    const { server, state, ask, read, device } = await opened(audited);
    await using _ = server;
    state.isOver = true;
    const reading = [read("kv/large"), read("kv/large")];
    await turns(5);
    expect(state.waiting).toHaveLength(2);
    expect((await read("sys/health")).status).toBe(200);
    expect((await ask("PUT", "kv/other", '{"value":"small"}')).status).toBe(204);
    expect((await ask("DELETE", "kv/other")).status).toBe(204);
    state.waiting[0]?.(true);
    expect((await reading[0])?.body).toContain(LARGE);
    // The client has gone.
    state.waiting[1]?.(false);
    expect((await reading[1])?.status).toBe(503);
    expect(device.fresh()).toHaveLength(audited ? 8 : 0);
  },
);

test("an answer counts from the moment it is made until it is recorded", async () => {
  const { server, put, device, state, read } = await opened(true);
  await using _ = server;
  const write = device.write.bind(device);
  const seen: number[] = [];
  device.write = async (line) => {
    seen.push(state.kept);
    await write(line);
  };
  // Their entries are taken together.
  const answers = await Promise.all([read("kv/large"), read("kv/large")]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  const size = replySize({ kind: "json", json: parseObjectText(utf8(JSON.stringify({ value: LARGE }))) });
  expect(seen).toEqual([0, 0, 2 * size, 2 * size]);
  expect(state.kept).toBe(0);
  await put("kv/small", "small");
  seen.length = 0;
  await read("kv/small");
  expect(seen).toEqual([0, 0]);
  device.failing = ({ type }) => type === "response";
  expect((await read("kv/large")).status).toBe(500);
  expect(state.kept).toBe(0);
});

describe.each(["memory", "file"])("of requests that come together on %s", (type) => {
  test.each(["kv/large", "kv/folder?list=true"])("each is made when those before it count: %s", async (path) => {
    await using store = await openStore();
    const { server, put, useUp, state, read } = await opened(true, type === "file" ? store.driver : undefined);
    await using _ = server;
    for (let key = 0; key < 200; key += 1) await put(`kv/folder/${"x".repeat(100)}${key}`, "value");
    useUp();
    const reading = Array.from({ length: 10 }, () => read(path));
    // One secret is read at once, a list never; the others wait, and so does each behind the one that has its turn.
    const waiting = path.endsWith("list=true") ? 10 : 9;
    for (let turn = 0; turn < waiting; turn += 1) {
      await turns(5);
      expect(state.waiting).toHaveLength(waiting);
      state.waiting[turn]?.(true);
    }
    expect((await Promise.all(reading)).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
  });
});
