import {
  definePlugin,
  goInt,
  goString,
  goStrings,
  type Initialised,
  invalid,
  type Reply,
  route,
  struct,
  toBase64,
  toHex,
} from "../core/plugin.ts";

/** Vault's request, in its own field names. The `recovery_*` fields belong to seals that unseal by themselves. */
const initRequest = struct("InitRequest", {
  secret_shares: goInt,
  secret_threshold: goInt,
  pgp_keys: goStrings,
  root_token_pgp_key: goString,
  recovery_shares: goInt,
  recovery_threshold: goInt,
  recovery_pgp_keys: goStrings,
});

/** Room for a PGP key per share. */
const MAX_BODY = 4 * 1024 * 1024;

/** `sys/init`: makes a new coffer. The shares and the root token are in this answer and nowhere else. */
export default definePlugin({
  name: "init",
  needs: ["seal"],
  routes: ({ seal }) => [
    route({
      operation: "read",
      path: "sys/init",
      summary: "Whether the store is initialised",
      access: "none",
      form: "bare",
      whileSealed: true,
      audited: false,
      handle: async () => ({
        kind: "bare",
        body: { initialized: (await seal.status()).initialised },
      }),
    }),
    route({
      operation: "update",
      path: "sys/init",
      summary: "Initialise the store: make the key shares and the root token",
      access: "none",
      form: "bare",
      whileSealed: true,
      maxBody: MAX_BODY,
      body: initRequest,
      async handle({ body, recordAnswer }) {
        if ((await seal.status()).initialised) throw invalid("Vault is already initialized");
        refuseOtherSeals(body);
        const settings = {
          shares: body.secret_shares,
          threshold: body.secret_threshold,
          pgpKeys: body.pgp_keys,
          rootTokenPgpKey: body.root_token_pgp_key,
        };
        return seal.init(settings, async (made) => {
          const reply = answerWith(made);
          await recordAnswer(reply);
          return reply;
        });
      },
    }),
  ],
});

function answerWith({ shares, rootToken }: Initialised): Reply {
  return {
    kind: "bare",
    body: {
      keys: shares.map((share) => toHex(share.reveal())),
      keys_base64: shares.map((share) => toBase64(share.reveal())),
      root_token: rootToken.reveal(),
    },
  };
}

/** What a Shamir seal has no use for is refused rather than ignored: who sends it counts on it. */
function refuseOtherSeals(body: Readonly<Record<string, number | string | readonly string[]>>): void {
  const sent = (name: string) => {
    const value = body[name];
    return typeof value === "object" ? value.length > 0 : value !== 0 && value !== "";
  };
  const recovery = ["recovery_shares", "recovery_threshold", "recovery_pgp_keys"].filter(sent);
  if (recovery.length > 0) throw invalid(`parameters ${recovery.join(",")} not applicable to seal type shamir`);
}
