/**
 * Steps 8 to 13 of the way of a request (app.ts): what is recorded before and after, and in between who may, what is asked,
 * and the handler.
 */
import type { AuditedRequest } from "../audit/line.ts";
import { ApiError } from "../errors.ts";
import type { RecordAnswer, Reply, Route } from "../plugin.ts";
import { soon, type Soon } from "../soon.ts";
import { type AnswerBudget, LARGE_ANSWER } from "./answer-budget.ts";
import { type Admission, NOBODY } from "./admission.ts";
import type { Asked } from "./asked.ts";
import { unknownFields, validate } from "./fields.ts";
import { tryShare } from "./guesses.ts";
import type { JsonObject } from "./json.ts";
import { replySize } from "./reply-size.ts";
import { missing, mountOf } from "./target.ts";

/** Carries a request out between its entries in the audit trail, where it has any. */
export function carryOut(asked: Asked, fields: JsonObject, admission: Admission): Soon<Reply> {
  const { server, opened, route } = asked;
  return soon(opened === undefined ? server.auditWhileSealed : opened.audit.current(), (recorder) => {
    // What monitors ask is answered on, also where there is no room.
    if (route?.audited === false) return act(asked, fields, admission, nobodyRecords);
    const carried = (recordAnswer: RecordAnswer) => inTurn(asked, () => act(asked, fields, admission, recordAnswer));
    if (recorder.outputs.length === 0) return carried(nobodyRecords);
    const keep = (reply: Reply) => keepLarge(asked.request.answers, reply);
    return soon(auditedRequest(asked, fields, admission), (audited) => recorder.record(audited, carried, keep));
  });
}

/**
 * Reads one after the other, while there is more of answers than there should be. Lists always: one may take as long as a
 * thousand other requests, which must not wait for many of them. What writes has a small answer, and passes them by: who
 * wants to seal, or to take a token away, must not wait for slow readers.
 */
function inTurn({ request: { answers }, operation }: Asked, make: () => Soon<Reply>): Soon<Reply> {
  const isInTurn = operation === "list" || (operation === "read" && answers?.isOver === true);
  if (answers === undefined || !isInTurn) return make();
  return answers.turn().then((isWanted) => {
    // Nobody gets this.
    if (!isWanted) throw new ApiError("overloaded");
    return make();
  });
}

/** The text of an answer is in memory while it is recorded, on the disk's time. */
function keepLarge(answers: AnswerBudget | undefined, reply: Reply): Disposable | undefined {
  if (answers === undefined) return undefined;
  const bytes = replySize(reply);
  return bytes < LARGE_ANSWER ? undefined : answers.keep(bytes);
}

function auditedRequest(asked: Asked, fields: JsonObject, admission: Admission): Soon<AuditedRequest> {
  const { trace, opened, target, operation, route } = asked;
  const { caller, refusal, unknownToken } = admission;
  return soon(mountOf(target, opened?.mounts), (mount) => ({
    id: trace.id,
    operation,
    path: target.path,
    data: caller === NOBODY && refusal !== undefined ? fewFields(fields) : fields,
    peer: trace.peer,
    mount,
    caller,
    holder: opened?.tokens.heldBy(caller),
    unknownToken,
    refusal,
    // Where there is no such endpoint here, what was meant for it may hold shares: a typing error, or Vault's own tools.
    hasShares: route === undefined || route.form === "bare",
  }));
}

/** Steps 9 to 12. */
function act(
  { server, trace, opened, target, route }: Asked,
  fields: JsonObject,
  admission: Admission,
  recordAnswer: RecordAnswer,
): Soon<Reply> {
  const { caller, refusal } = admission;
  if (refusal !== undefined) throw refusal;
  // The body takes as long as its sender likes: a token that was, or could not be, checked when the server was sealed,
  // or unsealed, meanwhile says nothing about who may do this now.
  if (route?.access !== "none" && server.opened() !== opened) throw new ApiError("sealed");
  if (route === undefined) throw missing(target);
  const body = route.body === undefined ? undefined : validate(route.body, fields);
  const call = { params: target.match?.params ?? {}, body, caller, recordAnswer };
  const handle = () => route.handle(call);
  const make = () => (target.mount === undefined ? handle() : target.mount.gate.run(handle));
  return soon(route.tellsValidity ? tryShare(server, trace.peer.address, make) : make(), (reply) =>
    withWarnings(reply, route, fields),
  );
}

const nobodyRecords = (): Promise<void> => Promise.resolve();

/** Of a request that nobody vouches for: each value becomes a hash, twice on each audit device, whose disk would fill. */
const FEW_BYTES = 2000;
const FEW_VALUES = 20;

function fewFields(fields: JsonObject): JsonObject {
  let [bytes, values] = [FEW_BYTES, FEW_VALUES];
  const fits = (value: unknown): boolean => {
    values -= 1;
    if (typeof value === "string") bytes -= value.length;
    if (values < 0 || bytes < 0) return false;
    if (typeof value !== "object" || value === null) return true;
    // Its entries would take a second to make where there are a million of them; an object has no more than strings may be.
    if (Array.isArray(value)) return value.every(fits);
    return Object.entries(value).every(([name, member]) => {
      bytes -= name.length;
      return fits(member);
    });
  };
  return fits(fields) ? fields : {};
}

/** Vault tells of fields that it ignored, where there is an answer to tell it in. */
function withWarnings(reply: Reply, route: Route, fields: JsonObject): Reply {
  if (reply.kind === "empty" || reply.kind === "bare" || reply.kind === "text") return reply;
  const ignored = route.operation === "list" ? PAGING.filter((name) => name in fields) : ignoredFields(route, fields);
  if (ignored.length === 0) return reply;
  const warning = `Endpoint ignored these unrecognized parameters: [${ignored.join(" ")}]`;
  return { ...reply, warnings: [...(reply.warnings ?? []), warning] };
}

/** Names of parts of a list, which is whole here. */
const PAGING = ["after", "limit"];

function ignoredFields({ operation, body }: Route, fields: JsonObject): readonly string[] {
  if (operation !== "update" || body === undefined || !("entries" in body)) return [];
  return unknownFields({ entries: body.entries as object }, fields);
}
