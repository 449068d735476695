/**
 * Requests to a server of this API and its answers, in order, one JSON object on a line. The first line says what they
 * start from. Placeholders (`$ROOT`, `$unseal_key_1`, `$unseal_key_base64_1`, or what a line captures) stand for values
 * that are made anew each time; `$TOKEN` for any token that nothing captured.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, exchange } from "../raw-http.ts";

export interface Recording {
  /** `unsealed`: initialised with `init` and unsealed with the first shares. */
  readonly header: {
    readonly starts_from: "uninitialised" | "unsealed";
    readonly init?: Init;
    readonly server?: ServerOptions;
  };
  readonly lines: readonly Line[];
}

/** What the recorded server was configured with. */
interface ServerOptions {
  /** A file device with these options. */
  readonly audit?: Readonly<Record<string, string>>;
  readonly top?: Readonly<Record<string, boolean>>;
}

interface Init {
  readonly secret_shares: number;
  readonly secret_threshold: number;
}

export interface Line {
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly raw?: string;
  };
  /** Seconds to wait before the request. */
  readonly wait?: number;
  readonly response: Recorded;
  /** Placeholder → where in the answer its value is. */
  readonly capture?: Readonly<Record<string, string>>;
  /** Places in the answer whose values are others each time. */
  readonly volatile?: readonly string[];
}

/** `body` where the answer is JSON, `text` where it is something else; neither: it is empty. */
export interface Recorded {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: string;
}

type Names = Map<string, string>;

export function readRecording(name: string): Recording {
  const file = join(import.meta.dir, "../data/recordings", `${name}.jsonl`);
  const [header, ...lines] = readFileSync(file, "utf8").trim().split("\n").map(parse);
  return { header, lines: lines.filter((line) => !isAuditLog(line)) } as Recording;
}

/** The lines that the recorded server's audit device had written for each request, by its name. */
export function readAuditLog(name: string): ReadonlyMap<string, readonly AuditLine[]> {
  const file = join(import.meta.dir, "../data/recordings", `${name}.jsonl`);
  const written = new Map<string, AuditLine[]>();
  let asked: Line[] = [];
  for (const line of readFileSync(file, "utf8").trim().split("\n").slice(1).map(parse)) {
    if (!isAuditLog(line)) {
      asked.push(line as Line);
      continue;
    }
    const { lines } = line.response;
    for (const { name: request, request: sent } of asked) {
      // A list's path ends in a slash. What is not recorded is of another path than what comes next.
      const isIts = lines[0] !== undefined && `/v1/${lines[0].request.path}`.replace(/\/$/, "") === sent.path;
      const id = isIts ? lines[0]?.request.id : undefined;
      const count = lines.findIndex((other) => other.request.id !== id);
      written.set(request, id === undefined ? [] : lines.splice(0, count === -1 ? lines.length : count));
    }
    if (lines.length > 0) throw new Error("audit lines of no request");
    asked = [];
  }
  return written;
}

export interface AuditLine {
  readonly request: { readonly id: string; readonly path: string };
}

function isAuditLog(line: unknown): line is { readonly response: { readonly lines: AuditLine[] } } {
  return typeof line === "object" && line !== null && "audit" in line;
}

/** Sends the requests one after the other; yields each with the answer, in which known values are placeholders again. */
export async function* replay(port: number, { header, lines }: Recording): AsyncGenerator<[Line, Recorded]> {
  const names: Names = new Map();
  if (header.starts_from === "unsealed" && header.init !== undefined) await prepare(port, header.init, names);
  for (const line of lines) {
    if (line.wait !== undefined) await Bun.sleep(line.wait * 1000);
    const { method, path, headers = {}, body, raw } = line.request;
    const sent = body === undefined ? raw : JSON.stringify(body);
    const answer = await exchange(
      { port },
      {
        method,
        path: fill(path, names),
        headers: JSON.parse(fill(JSON.stringify(headers), names)) as Record<string, string>,
        body: sent === undefined ? undefined : fill(sent, names),
      },
    );
    for (const [name, where] of Object.entries(line.capture ?? {})) {
      const value = valueAt(parse(answer?.text ?? ""), where);
      if (value !== undefined) names.set(name, value);
    }
    yield [line, recorded(answer, names)];
  }
}

async function prepare(port: number, init: Init, names: Names): Promise<void> {
  const put = (path: string, body: object) => exchange({ port }, { method: "PUT", path, body: JSON.stringify(body) });
  const made = parse((await put("/v1/sys/init", init))?.text ?? "") as { keys: string[]; root_token: string };
  names.set("$ROOT", made.root_token);
  for (const [index, key] of made.keys.entries()) {
    names.set(`$unseal_key_${index + 1}`, key);
    names.set(`$unseal_key_base64_${index + 1}`, Buffer.from(key, "hex").toString("base64"));
  }
  for (const key of made.keys.slice(0, init.secret_threshold)) await put("/v1/sys/unseal", { key });
}

/** Status 0 when the connection was closed without an answer. */
function recorded(answer: Answer | undefined, names: Names): Recorded {
  if (answer === undefined) return { status: 0 };
  const { status } = answer;
  let text = answer.text;
  for (const [name, value] of names) if (value.length >= 8) text = text.replaceAll(value, name);
  text = text.replaceAll(/\b(?:s|hvs)\.[A-Za-z0-9]{24}\b/g, "$TOKEN");
  if (text === "") return { status };
  const body = parse(text);
  return body === undefined ? { status, text } : { status, body };
}

function fill(text: string, names: Names): string {
  return text.replaceAll(/\$[A-Za-z][A-Za-z0-9_]*/g, (name) => names.get(name) ?? name);
}

function valueAt(body: unknown, pointer: string): string | undefined {
  let value = body;
  for (const name of pointer.split("/").slice(1)) value = (value as Record<string, unknown> | undefined)?.[name];
  return typeof value === "string" ? value : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
