import {
  bool,
  definePlugin,
  durationSeconds,
  type HeldToken,
  int,
  invalid,
  kvPairs,
  logical,
  route,
  string,
  stringArray,
} from "../core/plugin.ts";

const createBody = logical({
  id: string(),
  policies: stringArray(),
  meta: kvPairs(),
  no_parent: bool(),
  no_default_policy: bool(),
  renewable: bool(),
  display_name: string(),
  type: string(),
  ttl: durationSeconds(),
  lease: durationSeconds(),
  explicit_max_ttl: durationSeconds(),
  period: durationSeconds(),
  num_uses: int(),
  entity_alias: string(),
});
type CreateBody = { readonly [Name in keyof (typeof createBody)["entries"]]?: unknown };

/** What would limit a token. None of it is ever ignored: a token must not outlive or outdo what was asked for. */
const LIMITS = ["ttl", "lease", "explicit_max_ttl", "period", "num_uses"] as const;

/** `auth/token`: so far root tokens without an end. */
export default definePlugin({
  name: "token",
  needs: ["tokens"],
  routes: ({ tokens }) => [
    route({
      operation: "update",
      path: "auth/token/create",
      summary: "Create a further root token",
      body: createBody,
      async handle({ body, caller }) {
        refuseLimits(body);
        refuseOtherPolicies(body.policies ?? []);
        checkType(body.type ?? "");
        const held = await tokens.create(caller, {
          id: customId(body.id ?? ""),
          displayName: displayName(body.display_name ?? ""),
          meta: body.meta === undefined || Object.keys(body.meta).length === 0 ? null : body.meta,
          orphan: body.no_parent ?? false,
        });
        return { kind: "auth", auth: authBlock(held), displayName: held.info.displayName };
      },
    }),
    ...(["read", "update"] as const).map((operation) =>
      route({
        operation,
        path: "auth/token/lookup-self",
        summary: "What is known of the token of this request",
        handle: async ({ caller }) => ({
          kind: "data",
          data: lookupData(await tokens.self(caller)),
        }),
      }),
    ),
    route({
      operation: "update",
      path: "auth/token/revoke-self",
      summary: "Revoke the token of this request and all its children",
      async handle({ caller }) {
        await tokens.revokeSelf(caller);
        return { kind: "empty" };
      },
    }),
  ],
});

function refuseLimits(body: CreateBody): void {
  for (const name of LIMITS) {
    const limit = body[name];
    if (name === "num_uses" && Number(limit) < 0) throw invalid("number of uses cannot be negative");
    if (limit !== undefined && limit !== 0) throw invalid(`tokens with "${name}" are not supported`);
  }
  if (body.entity_alias !== undefined && body.entity_alias !== "") {
    throw invalid("'entity_alias' is only allowed in combination with token role");
  }
}

function refuseOtherPolicies(policies: readonly string[]): void {
  const others = policies.map((name) => name.trim().toLowerCase()).filter((name) => name !== "root");
  if (others.length > 0) throw invalid('tokens with policies other than "root" are not supported');
}

function checkType(type: string): void {
  if (type === "batch") throw invalid("batch tokens cannot be root tokens");
  if (type !== "" && type !== "service") throw invalid("invalid 'token_type' value");
}

/** Undefined when none is asked for. The prefixes and the dot tell the server's own tokens from chosen ones. */
function customId(id: string): string | undefined {
  if (id === "") return undefined;
  for (const prefix of ["hvs.", "s."]) {
    if (id.startsWith(prefix)) throw invalid(`custom token ID cannot have the '${prefix}' prefix`);
  }
  if (id.includes(".")) throw invalid("custom token ID cannot have a '.' in the value");
  // A header could not carry it: the token would be made and could never be used.
  if (!/^[!-~]{1,1024}$/.test(id)) throw invalid("custom token ID must be printable ASCII without spaces");
  return id;
}

/** As Vault makes it: what is no letter, digit or `-` becomes `-`, and one at the end goes. */
function displayName(name: string): string {
  if (name === "") return "token";
  return `token-${name}`.replaceAll(/[^a-zA-Z0-9-]/g, "-").replace(/-$/, "");
}

function authBlock({ token, info }: HeldToken): object {
  return {
    client_token: token.reveal(),
    accessor: info.accessor,
    policies: info.policies,
    token_policies: info.policies,
    metadata: info.meta,
    lease_duration: 0,
    renewable: false,
    entity_id: "",
    token_type: "service",
    orphan: info.orphan,
    mfa_requirement: null,
    num_uses: 0,
  };
}

function lookupData({ token, info }: HeldToken): object {
  const isFirst = info.path === "auth/token/root";
  return {
    id: token.reveal(),
    accessor: info.accessor,
    policies: info.policies,
    path: info.path,
    meta: info.meta,
    display_name: info.displayName,
    num_uses: 0,
    orphan: info.orphan,
    creation_time: info.creationTime,
    creation_ttl: 0,
    expire_time: null,
    ttl: 0,
    explicit_max_ttl: 0,
    entity_id: "",
    type: "service",
    ...(!isFirst && {
      issue_time: new Date(info.creationTime * 1000).toISOString(),
      renewable: false,
    }),
  };
}
