/**
 * From a request to what it asks for: the operation, the logical path, the fields. Everything here happens before the
 * token is looked at, so each step is bounded.
 */
import { ApiError, invalid } from "../errors.ts";
import { type BodyBudget, type BodyPlace, SMALL_BODY } from "./body-budget.ts";
import type { Operation, Route } from "../plugin.ts";
import type { Soon } from "../soon.ts";
import type { HeaderValues, Incoming, IncomingBody } from "./incoming.ts";
import { tooComplex } from "./json-error.ts";
import { MAX_STRINGS } from "./json-scan.ts";
import { type JsonObject, parseObject } from "./json.ts";
import type { Query } from "./path.ts";

/** What is asked on Vault's logical paths. Of the last three there is no route here; who may ask is checked all the same. */
export type AskedOperation = Operation | "header" | "scan" | "help";

/** Throws ApiError for a verb that asks for none. */
export function operationOf(method: string, query: Query): AskedOperation {
  if (query.help) return "help";
  switch (method) {
    case "GET":
      if (query.scan) return "scan";
      return query.list ? "list" : "read";
    case "LIST":
      return "list";
    case "HEAD":
      return "header";
    case "SCAN":
      return "scan";
    case "HELP":
      return "help";
    case "POST":
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return "delete";
    case "OPTIONS":
      throw invalid("cannot handle internal-only request operation");
    default:
      throw new ApiError("method-not-allowed");
  }
}

/**
 * Refuses what this server does not do and a client must not believe done: an answer that should have been wrapped would
 * go out in the clear, and one for a namespace would be another namespace's.
 */
export function checkHeaders(headers: HeaderValues): void {
  const wrapTtl = headers.get("x-vault-wrap-ttl");
  if (wrapTtl !== null && wrapTtl !== "" && wrapTtl !== "0") throw invalid("response wrapping is not supported");
  const namespace = headers.get("x-vault-namespace");
  if (namespace !== null && !["", "/", "root"].includes(namespace))
    throw new ApiError("not-found", "namespace not found");
}

/** The client's token: `X-Vault-Token`, else a bearer token. */
export function tokenOf(headers: HeaderValues): string | undefined {
  const token = headers.get("x-vault-token")?.trim();
  if (token !== undefined && token !== "") return token;
  const authorization = headers.get("authorization");
  return authorization?.startsWith("Bearer ") === true ? authorization.slice("Bearer ".length).trim() : undefined;
}

/** The fields of a request: the JSON object of a write, the query of anything else. */
export function readFields(
  request: Incoming,
  operation: AskedOperation,
  query: Query,
  route: Route | undefined,
  defaultLimit: number,
  budget: BodyBudget,
): Soon<JsonObject> {
  if (operation !== "update" && operation !== "patch") return query.data;
  if (operation === "patch") checkPatchType(request.headers.get("content-type"));
  return readBodyFields(request, route?.maxBody ?? defaultLimit, budget);
}

async function readBodyFields(request: Incoming, limit: number, budget: BodyBudget): Promise<JsonObject> {
  using place = budget.open();
  const bytes = await readBody(request, limit, place);
  return isForm(request.headers, bytes) ? formFields(bytes) : parseObject(bytes);
}

/** Bytes that are kept together while a body comes. A buffer that grows would leave as much behind as it holds. */
const BLOCK = 64 * 1024;

/** The body, read no further than `limit` bytes. Throws ApiError `body-too-large`, `overloaded`. */
async function readBody({ headers, body }: Incoming, limit: number, place: BodyPlace): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  try {
    const declared = Number(headers.get("content-length") ?? Number.NaN);
    if (declared > limit) throw new ApiError("body-too-large");
    return declared <= SMALL_BODY ? await body.whole() : await readWithin(body, limit, place);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    // The client went away, or sent less than it had announced.
    throw invalid("the request body could not be read");
  }
}

/** What is announced is not believed, and what comes in small pieces takes no more than its bytes. */
async function readWithin(pieces: IncomingBody, limit: number, place: BodyPlace): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  let length = 0;
  const add = (piece: Uint8Array) => {
    if (length + piece.length > limit) throw new ApiError("body-too-large");
    place.cover(length + piece.length);
    for (let at = 0; at < piece.length;) {
      const filled = length % BLOCK;
      if (filled === 0) blocks.push(new Uint8Array(BLOCK));
      const part = piece.subarray(at, at + BLOCK - filled);
      blocks.at(-1)?.set(part, filled);
      at += part.length;
      length += part.length;
    }
  };
  const iterator = pieces[Symbol.asyncIterator]();
  const next = () => place.unlessEvicted(iterator.next());
  try {
    for (let read = await next(); read.done !== true; read = await next()) add(read.value);
  } catch (error) {
    // Not awaited: who had to make way has a read under way that may never end.
    iterator.return?.().catch(() => undefined);
    throw error;
  }
  const body = new Uint8Array(length);
  for (const [index, block] of blocks.entries()) body.set(block.subarray(0, length - index * BLOCK), index * BLOCK);
  return body;
}

function checkPatchType(given: string | null): void {
  if (given === null || given.trim() === "") throw invalid("mime: no media type");
  const type = given.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/merge-patch+json") {
    throw new ApiError("unsupported-media-type", "PATCH requires Content-Type of application/merge-patch+json");
  }
}

/** Only where the type says so and the body does not look like JSON: curl sends this type for whatever `-d` holds. */
function isForm(headers: HeaderValues, bytes: Uint8Array): boolean {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded" || bytes.length === 0) return false;
  return bytes[0] !== 0x7b && bytes[0] !== 0x5b;
}

/** Bytes. A form takes thirty times as long to read as JSON, and only small ones are sent. */
const MAX_FORM = 1024 * 1024;
const AMPERSAND = 0x26;

/** Repeated keys are joined by a comma, as Vault does. Names and values count as the strings of a JSON body do. */
function formFields(bytes: Uint8Array): JsonObject {
  if (bytes.length > MAX_FORM) throw new ApiError("body-too-large");
  let ampersands = 0;
  for (let at = bytes.indexOf(AMPERSAND); at !== -1; at = bytes.indexOf(AMPERSAND, at + 1)) ampersands += 1;
  if (ampersands * 2 >= MAX_STRINGS) throw tooComplex("exceeded maximum number of strings");
  const fields = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(new TextDecoder().decode(bytes))) {
    const earlier = fields.get(name);
    if (earlier === undefined) fields.set(name, [value]);
    else earlier.push(value);
  }
  return Object.fromEntries(Array.from(fields, ([name, values]) => [name, values.join(",")]));
}
