/** `auth/token`: root tokens so far. */
import { expect } from "bun:test";
import { aNumber, aString, envelope, type Row, table } from "./table.ts";

const ACCESSOR: unknown = expect.stringMatching(/^[A-Za-z0-9]{24}$/);
const AUTH = {
  client_token: expect.stringMatching(/^hvs\.[A-Za-z0-9]{24}$/) as unknown,
  accessor: ACCESSOR,
  policies: ["root"],
  token_policies: ["root"],
  metadata: null,
  lease_duration: 0,
  renewable: false,
  entity_id: "",
  token_type: "service",
  orphan: false,
  mfa_requirement: null,
  num_uses: 0,
};
const ROOT = {
  id: expect.stringMatching(/^hvs\.[A-Za-z0-9]{24}$/) as unknown,
  accessor: ACCESSOR,
  policies: ["root"],
  path: "auth/token/root",
  meta: null,
  display_name: "root",
  num_uses: 0,
  orphan: true,
  creation_time: aNumber,
  creation_ttl: 0,
  expire_time: null,
  ttl: 0,
  explicit_max_ttl: 0,
  entity_id: "",
  type: "service",
};
const CHILD = {
  ...ROOT,
  id: "chosen-one",
  path: "auth/token/create",
  meta: { team: "a" },
  display_name: "token-a-b",
  orphan: false,
  issue_time: aString,
  renewable: false,
};
const DENIED = ["permission denied"];

const create = (body: unknown, token?: string) => ({
  method: "POST",
  path: "auth/token/create",
  body,
  ...(token !== undefined && { token }),
});
const self = (token?: string) => ({ path: "auth/token/lookup-self", ...(token !== undefined && { token }) });
const revoke = (token: string) => ({ method: "POST", path: "auth/token/revoke-self", token });

function refused(name: string, body: unknown, error: unknown): Row {
  return { name: `refuses ${name}`, request: create(body), status: 400, errors: [error] };
}
function invalidField(name: string, value: unknown, tail: string): Row {
  const error = `Field validation failed: error converting input for field "${name}": ${tail}`;
  return refused(`${name} of ${JSON.stringify(value)}`, { [name]: value }, error);
}

table("tokens", "unsealed", [
  { name: "without a token", request: self(""), status: 403, errors: DENIED },
  { name: "with a wrong one", request: self("hvs.CAESIAAAAAAAAAAAAAAAAAAA"), status: 403, errors: DENIED },
  { name: "with one of spaces", request: self("   "), status: 403, errors: DENIED },
  { name: "with one that has a space in it", request: self("a b"), status: 403, errors: DENIED },
  { name: "spaces around it go", request: ({ token }) => self(`  ${token} `), status: 200, body: envelope(ROOT) },
  {
    name: "as a bearer token",
    request: ({ token }) => ({ ...self(""), headers: { authorization: `Bearer ${token}` } }),
    status: 200,
    body: envelope(ROOT),
  },
  {
    name: "bearer in small letters is none",
    request: ({ token }) => ({ ...self(""), headers: { authorization: `bearer ${token}` } }),
    status: 403,
    errors: DENIED,
  },
  {
    name: "the header counts before the bearer token",
    request: ({ token }) => ({ ...self("wrong"), headers: { authorization: `Bearer ${token}` } }),
    status: 403,
    errors: DENIED,
  },
  { name: "lookup-self of the first token", request: self(), status: 200, body: envelope(ROOT) },
  { name: "by POST", request: { ...self(), method: "POST" }, status: 200, body: envelope(ROOT) },
  { name: "create", request: create({}), status: 200, body: envelope(null, { auth: AUTH }) },
  { name: "create without a body", request: create(""), status: 200, body: envelope(null, { auth: AUTH }) },
  {
    name: "create with everything that it heeds",
    request: create({
      id: "chosen-one",
      policies: ["Root "],
      meta: { team: "a" },
      display_name: "a b_",
      type: "service",
      no_default_policy: true,
      renewable: "false",
    }),
    status: 200,
    body: envelope(null, {
      auth: { ...AUTH, client_token: "chosen-one", metadata: { team: "a" } },
    }),
  },
  {
    name: "an unknown field is told of",
    request: create({ zeta: 1, alpha: 2 }),
    status: 200,
    body: envelope(null, { auth: AUTH, warnings: ["Endpoint ignored these unrecognized parameters: [alpha zeta]"] }),
  },
  { name: "lookup-self of the child", request: self("chosen-one"), status: 200, body: envelope(CHILD) },
  {
    name: "a child of the child",
    request: create({ id: "grandchild" }, "chosen-one"),
    status: 200,
    body: envelope(null, { auth: { ...AUTH, client_token: "grandchild" } }),
  },
  {
    name: "an orphan made by the child",
    request: create({ id: "orphan", no_parent: true }, "chosen-one"),
    status: 200,
    body: envelope(null, { auth: { ...AUTH, client_token: "orphan", orphan: true } }),
  },
  { name: "revoke-self by GET", request: { path: "auth/token/revoke-self" }, status: 405, errors: [aString] },
  { name: "revoke-self", request: revoke("chosen-one"), status: 204 },
  { name: "it is gone", request: self("chosen-one"), status: 403, errors: DENIED },
  { name: "and its child", request: self("grandchild"), status: 403, errors: DENIED },
  {
    name: "but not the orphan",
    request: { ...self("orphan") },
    status: 200,
    body: envelope({ ...CHILD, id: "orphan", meta: null, display_name: "token", orphan: true }),
  },
  { name: "nor its parent", request: self(), status: 200, body: envelope(ROOT) },
  { name: "revoke-self again", request: revoke("chosen-one"), status: 403, errors: DENIED },
  {
    name: "an unknown path of the mount",
    request: { path: "auth/token/none" },
    status: 404,
    errors: ["1 error occurred:\n\t* unsupported path\n\n"],
  },
  {
    name: "an unknown method of logging in",
    request: { path: "auth/none/x" },
    status: 404,
    errors: ['no handler for route "auth/none/x". route entry not found.'],
  },
]);

table("tokens that are refused", "unsealed", [
  refused("a TTL", { ttl: "1h" }, 'tokens with "ttl" are not supported'),
  refused("a period", { period: 60 }, 'tokens with "period" are not supported'),
  refused("an explicit_max_ttl", { explicit_max_ttl: "1d" }, 'tokens with "explicit_max_ttl" are not supported'),
  refused("uses", { num_uses: 1 }, 'tokens with "num_uses" are not supported'),
  refused("negative uses", { num_uses: -1 }, "number of uses cannot be negative"),
  refused("other policies", { policies: ["default"] }, 'tokens with policies other than "root" are not supported'),
  refused("a batch token", { type: "batch" }, "batch tokens cannot be root tokens"),
  refused("another type", { type: "x" }, "invalid 'token_type' value"),
  refused("an entity", { entity_alias: "x" }, "'entity_alias' is only allowed in combination with token role"),
  refused("an id with the prefix of one", { id: "s.x" }, "custom token ID cannot have the 's.' prefix"),
  refused("an id with its other prefix", { id: "hvs.x" }, "custom token ID cannot have the 'hvs.' prefix"),
  refused("an id with a dot", { id: "a.b" }, "custom token ID cannot have a '.' in the value"),
  refused("an id with a space", { id: "a b" }, "custom token ID must be printable ASCII without spaces"),
  refused("an id that no header can carry", { id: "ä\n" }, "custom token ID must be printable ASCII without spaces"),
  invalidField("ttl", "abc", "time: invalid duration"),
  invalidField("num_uses", "1.5", "'' cannot parse value as 'int': strconv.ParseInt: invalid syntax"),
  invalidField("num_uses", [1], "'' expected type 'int', got unconvertible type '[]interface {}'"),
  invalidField("no_parent", "maybe", "'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax"),
  invalidField("display_name", {}, "'' expected type 'string', got unconvertible type 'map[string]interface {}'"),
  {
    name: "with ids that are taken",
    request: create({ id: "taken" }),
    status: 200,
    body: envelope(null, { auth: { ...AUTH, client_token: "taken" } }),
  },
  refused("an id that is taken", { id: "taken" }, "cannot create a token with a duplicate ID"),
]);
