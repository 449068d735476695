import {
  type CeremonyStatus,
  definePlugin,
  goString,
  goStringIfGiven,
  invalid,
  route,
  struct,
  toBase64,
} from "../core/plugin.ts";

/** The document writes `pgp-key` in its sample and `pgp_key` in its text: both are taken. */
const startRequest = struct("GenerateShareInitRequest", { pgp_key: goString, "pgp-key": goString });
const updateRequest = struct("GenerateShareUpdateRequest", {
  key: goString,
  pgp_fingerprint: goStringIfGiven,
  "pgp-fingerprint": goStringIfGiven,
});

/** Room for a PGP key with many signatures; what is larger is told in words. */
const MAX_BODY = 2 * 1024 * 1024;

const ATTEMPT = "sys/generate-share/attempt";

/** `sys/generate-share`: a threshold of key holders makes one new key share, encrypted to its holder. */
export default definePlugin({
  name: "generate-share",
  needs: ["ceremonies"],
  routes: ({ ceremonies }) => [
    route({
      operation: "read",
      path: ATTEMPT,
      summary: "Whether a new key share is being made, for whom, and how far it has got",
      access: "none",
      form: "bare",
      handle: async () => answer(await ceremonies.status()),
    }),
    route({
      operation: "update",
      path: ATTEMPT,
      summary: "Start making a new key share for the holder of a PGP key",
      access: "sudo",
      form: "bare",
      maxBody: MAX_BODY,
      body: startRequest,
      async handle({ body }) {
        const key = body.pgp_key || body["pgp-key"];
        if (![key, ""].includes(body["pgp-key"])) throw invalid("pgp_key and pgp-key are two keys: one is needed");
        if (key === "") throw invalid("pgp_key is required: a new key share is never given out in the clear");
        return answer(await ceremonies.start(key));
      },
    }),
    route({
      operation: "delete",
      path: ATTEMPT,
      summary: "Cancel making a new key share",
      access: "sudo",
      form: "bare",
      async handle() {
        await ceremonies.cancel();
        return { kind: "empty" };
      },
    }),
    route({
      operation: "update",
      path: "sys/generate-share/update",
      summary: "Give one key share; the last one needed gets the new share, encrypted to its holder",
      access: "none",
      form: "bare",
      maxBody: 64 * 1024,
      body: updateRequest,
      async handle({ body }) {
        if (body.key === "") throw invalid("'key' must be specified in request body as JSON");
        return answer(await ceremonies.submit(body.key, body.pgp_fingerprint ?? body["pgp-fingerprint"]));
      },
    }),
  ],
});

/** Exactly the six fields of the document, always. */
function answer({ started, progress, required, fingerprint, message }: CeremonyStatus) {
  return {
    kind: "bare",
    body: {
      started,
      progress,
      required,
      key: message === undefined ? "" : toBase64(message),
      pgp_fingerprint: fingerprint,
      complete: message !== undefined,
    },
  } as const;
}
