/**
 * A file store that is not what was written to it, under the real server: what is damaged is refused by name, in an
 * answer, in the log or at the start; never is there another value, and what is whole can still be read.
 */
import { Database } from "bun:sqlite";
import { beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountDisk, skipDisks } from "./disk.ts";
import { newFolder, type Server, startServer } from "./executable.ts";

const SECRETS: Readonly<Record<string, string>> = { a: "value-of-a", b: "value-of-b", "folder/c": "value-of-c" };
const RAW = ["core/seal-config", "core/hsm/barrier-unseal-keys", "core/keyring"];
const FIXED = [...RAW, "core/register", "core/cluster/local/info", "core/mounts", "sys/token/salt"];

let whole = "";
let keys: readonly string[] = [];
/** The root token, and a child of it: a damaged entry of one leaves the other. */
let tokens: readonly string[] = [];

beforeAll(async () => {
  whole = join(newFolder(), "store");
  await using server = await startServer({ args: ["--storage", `file:${whole}`] });
  const made = await server.initAndUnseal();
  ({ keys } = made);
  tokens = [made.token, "child-token"];
  const { token } = made;
  await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
  await server.call("POST", "auth/token/create", { token, body: { id: tokens[1] } });
  for (const [path, value] of Object.entries(SECRETS))
    await server.call("PUT", `kv/${path}`, { token, body: { value } });
});

function copyOfStore(): string {
  const folder = join(newFolder(), "store");
  cpSync(whole, folder, { recursive: true });
  return folder;
}

function entriesOf(folder: string): Map<string, Uint8Array> {
  using db = new Database(join(folder, "coffer.db"));
  const rows = db.query<{ path: string; value: Uint8Array }, []>("SELECT path, value FROM entry ORDER BY path").all();
  return new Map(rows.map(({ path, value }) => [path, value]));
}

function sql(folder: string, statement: string, ...values: (string | Uint8Array)[]): void {
  using db = new Database(join(folder, "coffer.db"));
  expect(db.query(statement).run(...values).changes).toBe(1);
}

interface Findings {
  readonly state: "not started" | "sealed" | "unsealed";
  /** For each secret what a read answered: its value, or the status and the errors. */
  readonly reads: Readonly<Record<string, unknown>>;
  /** All that was said: answers, log, errors of the start. */
  readonly said: string;
}

async function examine(folder: string): Promise<Findings> {
  let server: Server;
  try {
    server = await startServer({ args: ["--storage", `file:${folder}`] });
  } catch (error) {
    return { state: "not started", reads: {}, said: String(error) };
  }
  const said: string[] = [];
  const ask = async (method: string, path: string, options: { token?: string; body?: unknown } = {}) => {
    const answer = await server.call(method, path, options);
    said.push(answer.text);
    return answer;
  };
  for (const key of keys) {
    if ((await ask("PUT", "sys/unseal", { body: { key } })).body["sealed"] === false) break;
  }
  const isUnsealed = (await ask("GET", "sys/seal-status")).body["sealed"] === false;
  const reads: Record<string, string> = {};
  if (isUnsealed) {
    const valid: string[] = [];
    for (const token of tokens)
      if ((await ask("GET", "auth/token/lookup-self", { token })).status === 200) valid.push(token);
    const token = valid[0] ?? "";
    for (const path of ["sys/mounts", "sys/key-status", "kv?list=true"]) await ask("GET", path, { token });
    for (const path of [...Object.keys(SECRETS), "moved"]) {
      const { status, body, text } = await ask("GET", `kv/${path}`, { token });
      reads[path] = status === 200 ? (body["data"] as { value: string }).value : `${status} ${text}`;
    }
  }
  expect(await server.stop()).toBe(0);
  return { state: isUnsealed ? "unsealed" : "sealed", reads, said: said.join("") + server.stderr };
}

/** What an error calls an entry: the name of one of a mount may be a secret's, so of these the mount is told. */
function nameOf(path: string): string {
  return /^logical\/[^/]+\//.exec(path)?.[0] ?? path;
}

const NOT_THERE = `404 {"errors":[]}\n`;

describe("a damaged entry", () => {
  test("the store of these tests is whole", async () => {
    const found = await examine(copyOfStore());
    expect(found.state).toBe("unsealed");
    expect(found.reads).toEqual({ ...SECRETS, moved: NOT_THERE });
    expect(found.said).not.toContain("damaged");
    expect([...entriesOf(whole).keys()]).toEqual(expect.arrayContaining(FIXED));
  });

  test("with one byte flipped, whichever entry and wherever in it, is refused by name", async () => {
    const paths = [...entriesOf(whole).keys()];
    expect(paths.length).toBeGreaterThanOrEqual(FIXED.length + 6);
    for (const path of paths) {
      const length = entriesOf(whole).get(path)?.length ?? 0;
      for (const at of [0, 4, Math.floor(length / 2), length - 1]) {
        const folder = copyOfStore();
        const value = new Uint8Array(entriesOf(folder).get(path) ?? []);
        value[at] = (value[at] ?? 0) ^ 1;
        sql(folder, "UPDATE entry SET value = ? WHERE path = ?", value, path);
        const { state, reads, said } = await examine(folder);
        const where = `byte ${at} of ${path}`;
        // That a token is another's child is told by the path of an entry, whose value is empty and never read.
        if (!path.startsWith("sys/token/parent/"))
          expect([where, said]).toEqual([where, expect.stringContaining(nameOf(path))]);
        expect([where, state]).toEqual([where, FIXED.includes(path) ? "sealed" : "unsealed"]);
        if (state === "sealed") continue;
        const secret = Object.keys(SECRETS).find((name) => path.startsWith("logical/") && path.endsWith(`/${name}`));
        const refusal: unknown = expect.stringMatching(/^500 \{"errors":\["1 error occurred:/);
        const expected = { ...SECRETS, moved: NOT_THERE, ...(secret !== undefined && { [secret]: refusal }) };
        expect([where, reads]).toEqual([where, expected]);
      }
    }
  }, 120_000);

  test("that was moved to another path does not open there", async () => {
    const folder = copyOfStore();
    const path = [...entriesOf(folder).keys()].find((name) => name.endsWith("/a")) ?? "";
    const moved = path.replace(/a$/, "moved");
    sql(folder, "UPDATE entry SET path = ? WHERE path = ?", moved, path);
    const refusal: unknown = expect.stringContaining(`cannot open an entry below ${nameOf(moved)}`);
    const { reads } = await examine(folder);
    expect(reads).toEqual({ ...SECRETS, a: NOT_THERE, moved: refusal });
  });

  test("nor do two that changed places", async () => {
    const folder = copyOfStore();
    const [a = "", b = ""] = ["/a", "/b"].map((end) =>
      [...entriesOf(folder).keys()].find((path) => path.endsWith(end)),
    );
    const entries = entriesOf(folder);
    for (const [path, other] of [
      [a, b],
      [b, a],
    ] as const) {
      sql(folder, "UPDATE entry SET value = ? WHERE path = ?", entries.get(other) ?? "", path);
    }
    const { reads } = await examine(folder);
    const refusal: unknown = expect.stringMatching(/^500 /);
    expect(reads).toEqual({ ...SECRETS, moved: NOT_THERE, a: refusal, b: refusal });
  });

  test("that must be readable while sealed is refused by name, though it would still make sense", async () => {
    for (const [was, is] of [
      [`"secret_shares":3`, `"secret_shares":9`],
      [`"secret_threshold":2`, `"secret_threshold":3`],
    ] as const) {
      const folder = copyOfStore();
      const config = Buffer.from(entriesOf(folder).get("core/seal-config") ?? []).toString();
      const changed = Buffer.from(config.replace(was, is));
      sql(folder, "UPDATE entry SET value = ? WHERE path = ?", changed, "core/seal-config");
      const { state, said } = await examine(folder);
      expect(state).toBe("sealed");
      expect(said).toContain("cannot open the entry at core/seal-config: the stored bytes are not what was written");
      expect(Buffer.from(entriesOf(folder).get("core/seal-config") ?? [])).toEqual(changed);
    }
  });

  test.each(FIXED.map((path) => [path]))("that is missing keeps the server sealed and is named: %s", async (path) => {
    const folder = copyOfStore();
    sql(folder, "DELETE FROM entry WHERE path = ?", path);
    if (path === "core/seal-config") {
      // Nothing tells such a store from a new one before somebody tries to make it one.
      await using server = await startServer({ args: ["--storage", `file:${folder}`] });
      const { status, text } = await server.call("PUT", "sys/init", {
        body: { secret_shares: 1, secret_threshold: 1 },
      });
      expect([status, text]).toEqual([500, expect.stringContaining(path)]);
    } else {
      const { state, said } = await examine(folder);
      expect(state).toBe("sealed");
      expect(said).toMatch(new RegExp(`${path}.*missing|missing.*${path}`));
    }
    const before = [...entriesOf(whole)].filter(([name]) => name !== path && name !== "core/keyring");
    expect([...entriesOf(folder)].filter(([name]) => name !== "core/keyring")).toEqual(before);
  });
});

describe("a damaged file", () => {
  test.each([
    ["is empty", (size: number) => -size],
    ["has less than a header", (size: number) => 50 - size],
    ["has lost its second half", (size: number) => -Math.floor(size / 2)],
    ["has lost its last page", () => -4096],
    ["has lost its last byte", () => -1],
  ])("that %s is refused at the start, by name, and left as it is", async (_name, change) => {
    const folder = copyOfStore();
    const file = join(folder, "coffer.db");
    const { size } = statSync(file);
    truncateSync(file, size + change(size));
    const { state, said } = await examine(folder);
    expect(state).toBe("not started");
    expect(said).toContain(file);
    expect(said).toContain("hint: ");
    expect(statSync(file).size).toBe(size + change(size));
  });

  test("that is gone is refused, too: no new store begins in its place", async () => {
    const folder = copyOfStore();
    rmSync(join(folder, "coffer.db"));
    expect(await examine(folder)).toMatchObject({
      state: "not started",
      said: expect.stringContaining("coffer.db is missing") as unknown,
    });
    expect(existsSync(join(folder, "coffer.db"))).toBe(false);
  });
});

if (skipDisks !== "") console.log(`stores on disks of their own${skipDisks}`);

test.skipIf(skipDisks === "" || process.env["CI"] === undefined)("the tests of disks run where CI is set", () => {
  throw new Error("mounting a tmpfs failed");
});

describe.skipIf(skipDisks !== "")(`a disk${skipDisks}`, () => {
  test("that is read-only is refused at the start", async () => {
    using disk = mountDisk("8m");
    const folder = join(disk?.path ?? "", "store");
    cpSync(whole, folder, { recursive: true });
    disk?.remount("ro");
    const { state, said } = await examine(folder);
    expect(state).toBe("not started");
    expect(said).toContain(`cannot write to the store in ${folder}`);
    expect(said).toContain("hint: give the user that runs coffer the right");
  });

  test("that is full refuses writes, says so, loses nothing, and takes writes again when there is room", async () => {
    using disk = mountDisk("4m");
    const folder = join(disk?.path ?? "", "store");
    const filler = join(disk?.path ?? "", "filler");
    writeFileSync(filler, new Uint8Array(1024 * 1024));
    const args = ["--storage", `file:${folder}`];
    await using server = await startServer({ args });
    const made = await server.initAndUnseal();
    const { token } = made;
    await server.call("POST", "sys/mounts/kv", { token, body: { type: "kv" } });
    const written = new Map<string, string>();
    let failed = 0;
    for (let index = 0; failed < 3 && index < 100; index += 1) {
      const value = `${index}-`.padEnd(100_000, "x");
      const { status, text } = await server.call("PUT", `kv/${index}`, { token, body: { value } });
      if (status === 204) written.set(`kv/${index}`, value);
      else {
        failed += 1;
        expect([status, text]).toEqual([500, expect.stringContaining("the storage did not confirm the write")]);
      }
    }
    expect(failed).toBe(3);
    expect(written.size).toBeGreaterThan(3);
    await server.until(() => server.stderr.includes(`the disk that holds ${folder} is full`));
    const checkAll = async (reader: Server) => {
      for (const [path, value] of written) {
        const { status, body } = await reader.call("GET", path, { token });
        expect([path, status, body["data"]]).toEqual([path, 200, { value }]);
      }
    };
    await checkAll(server);
    rmSync(filler);
    expect((await server.call("PUT", "kv/after", { token, body: { value: "room" } })).status).toBe(204);
    written.set("kv/after", "room");
    expect(await server.stop()).toBe(0);

    await using again = await startServer({ args });
    await again.unseal(made.keys);
    await checkAll(again);
  });
});
