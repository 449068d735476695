/**
 * What the client reads in the servers' answers. Loose: Coffer, Vault and OpenBao differ in the fields around these,
 * and what is printed as JSON is what the server said, not what these schemas kept.
 */

import * as v from "valibot";
import { isObject } from "./json.ts";

const Count = v.pipe(v.number(), v.integer());

/** A map with names that the user chose. Not `v.record`, which drops names such as `constructor`. */
const Data = v.custom<Readonly<Record<string, unknown>>>(isObject);

export const SealStatus = v.looseObject({
  type: v.string(),
  initialized: v.boolean(),
  sealed: v.boolean(),
  t: Count,
  n: Count,
  progress: Count,
  nonce: v.optional(v.string(), ""),
  version: v.optional(v.string(), ""),
  build_date: v.optional(v.string(), ""),
  commit_date: v.optional(v.string(), ""),
  migration: v.optional(v.boolean(), false),
  cluster_name: v.optional(v.string(), ""),
  cluster_id: v.optional(v.string(), ""),
  recovery_seal: v.optional(v.boolean(), false),
  recovery_seal_type: v.optional(v.string(), ""),
  storage_type: v.optional(v.string(), ""),
  warnings: v.nullish(v.array(v.string())),
});
export type SealStatus = v.InferOutput<typeof SealStatus>;

export const Leader = v.looseObject({
  ha_enabled: v.boolean(),
  is_self: v.optional(v.boolean(), false),
  active_time: v.optional(v.string(), ""),
  leader_address: v.optional(v.string(), ""),
  leader_cluster_address: v.optional(v.string(), ""),
  raft_committed_index: v.optional(Count, 0),
  raft_applied_index: v.optional(Count, 0),
});
export type Leader = v.InferOutput<typeof Leader>;

export const InitStatus = v.looseObject({ initialized: v.boolean() });

const Texts = v.optional(v.array(v.string()), []);

export const Initialised = v.looseObject({
  keys: Texts,
  keys_base64: Texts,
  recovery_keys: Texts,
  recovery_keys_base64: Texts,
  root_token: v.string(),
});

export const KeyStatus = v.looseObject({
  data: v.looseObject({ term: Count, install_time: v.string(), encryptions: Count }),
});

/** `interval` is a number where it is unset, at OpenBao. */
export const RotateConfig = v.looseObject({
  data: v.looseObject({ max_operations: Count, interval: v.union([v.string(), v.number()]), enabled: v.boolean() }),
});

/** The six fields of `sys/generate-share`. */
export const ShareAttempt = v.looseObject({
  started: v.boolean(),
  progress: Count,
  required: Count,
  /** Base64 of a PGP message, when complete. */
  key: v.string(),
  pgp_fingerprint: v.pipe(v.string(), v.regex(/^[0-9a-f]*$/)),
  complete: v.boolean(),
});
export type ShareAttempt = v.InferOutput<typeof ShareAttempt>;

/** The envelope around the answers of mounts. */
export const Envelope = v.looseObject({
  request_id: v.optional(v.string(), ""),
  lease_id: v.optional(v.string(), ""),
  lease_duration: v.optional(Count, 0),
  renewable: v.optional(v.boolean(), false),
  data: v.nullish(Data),
  warnings: v.nullish(v.array(v.string())),
  auth: v.optional(v.unknown()),
  wrap_info: v.optional(v.unknown()),
});
export type Envelope = v.InferOutput<typeof Envelope>;

export const KeyList = v.looseObject({ data: v.looseObject({ keys: v.array(v.string()) }) });

/** A mount of `sys/mounts`. */
export const Mount = v.looseObject({
  type: v.string(),
  accessor: v.optional(v.string(), ""),
  description: v.optional(v.string(), ""),
});
