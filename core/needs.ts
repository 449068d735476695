/**
 * What built-in plugins need of the engine beyond a view, as narrow interfaces. None of them exposes key material: the
 * KEK, the root key and the keyring are out of every plugin's reach. Shares and tokens are handed out as Secret, so that
 * an object that holds one can be logged, or be part of an error, without giving it away.
 */
import type { Secret } from "./secret.ts";

import type { Family } from "./metrics/family.ts";

/** Who made a request, as far as a plugin may know. */
export interface Caller {
  /** The token's accessor, which names it without being it. */
  readonly accessor: string;
  readonly policies: readonly string[];
}

/** `sys/init`, `sys/unseal`, `sys/seal` and what tells their state. */
export interface SealNeeds {
  status(): Promise<SealStatus>;
  /**
   * Makes a new coffer and leaves it sealed. `handOver` gets the shares and the root token before the store counts as
   * initialised; when it rejects, the store does not, and another init can begin. Resolves with what `handOver` does.
   */
  init<T>(settings: InitSettings, handOver: (made: Initialised) => Promise<T>): Promise<T>;
  /** Takes one share (hex or base64) towards unsealing. */
  submit(share: string): Promise<SealStatus>;
  /** Forgets the shares that were given so far. */
  reset(): Promise<SealStatus>;
  seal(): Promise<void>;
}

export interface SealStatus {
  readonly initialised: boolean;
  readonly sealed: boolean;
  /** 0 before init. */
  readonly threshold: number;
  /** 0 before init. */
  readonly shares: number;
  /** Shares given so far. */
  readonly progress: number;
  /** Names the unseal attempt that `progress` belongs to; empty without one. */
  readonly nonce: string;
  readonly storageType: string;
  readonly version: string;
  /** Only while unsealed. */
  readonly cluster: { readonly name: string; readonly id: string } | undefined;
}

export interface InitSettings {
  readonly shares: number;
  readonly threshold: number;
  /** A PGP public key for each share, or none. */
  readonly pgpKeys: readonly string[];
  /** Empty: the root token is handed out in the clear. */
  readonly rootTokenPgpKey: string;
}

/** Handed out once, by the answer to `sys/init`. */
export interface Initialised {
  /** The shares; with PGP keys the messages (binary) that hold their hex text. */
  readonly shares: readonly Secret<Uint8Array>[];
  /** The token; with a PGP key base64 of the message (binary) that holds it. */
  readonly rootToken: Secret<string>;
}

/** `sys/key-status`. */
export interface KeyNeeds {
  status(): Promise<KeyStatus>;
}

export interface KeyStatus {
  readonly term: number;
  /** RFC 3339. */
  readonly installTime: string;
  /** Never too low; too high by what other nodes have reserved and not used. */
  readonly encryptions: number;
  /** The keyring has grown to half of what it may: the default bound is in force, whatever is set. */
  readonly halfFull: boolean;
}

/** `sys/rotate` and `sys/rotate/config`. */
export interface RotationNeeds {
  /** Replaces the active term. */
  rotate(): Promise<void>;
  config(): Promise<RotationSettings>;
  /** Sets what is given and keeps the rest. Throws ApiError `invalid` with Vault's texts for what is out of bounds. */
  configure(change: RotationChange): Promise<void>;
}

export interface RotationSettings {
  readonly enabled: boolean;
  readonly maxOperations: number;
  /** Age in seconds at which the active term is replaced; 0: never. */
  readonly interval: number;
}

/** What is undefined stays as it is. */
export type RotationChange = { readonly [Name in keyof RotationSettings]: RotationSettings[Name] | undefined };

/** `sys/generate-share`: a threshold of custodians makes one further share. */
export interface CeremonyNeeds {
  status(): Promise<CeremonyStatus>;
  /** Starts an attempt for the holder of a PGP public key: armored, or base64 of the armored or of the binary key. */
  start(pgpKey: string): Promise<CeremonyStatus>;
  /** Ends the attempt under way, if any. */
  cancel(): Promise<void>;
  /** Gives one share (hex or base64). `fingerprint`: whose key the custodian believes it is for. */
  submit(share: string, fingerprint: string | undefined): Promise<CeremonyStatus>;
}

export interface CeremonyStatus {
  readonly started: boolean;
  /** Shares given so far. */
  readonly progress: number;
  /** Shares needed: the threshold. */
  readonly required: number;
  /** Of the recipient's PGP key, in lower-case hex; empty without an attempt. */
  readonly fingerprint: string;
  /** The new share, encrypted to the recipient: a binary PGP message. Defined when the attempt is complete. */
  readonly message: Uint8Array | undefined;
}

/** `sys/mounts`. Paths end in "/". */
export interface MountNeeds {
  list(): Promise<readonly Mount[]>;
  enable(mount: NewMount): Promise<void>;
  /** Sets what is given and keeps the rest. */
  tune(path: string, settings: MountSettings): Promise<void>;
  /** Unmounts and deletes the mount's data. Nothing mounted there: nothing happens. */
  disable(path: string): Promise<void>;
}

export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly description: string;
  readonly accessor: string;
  readonly uuid: string;
  readonly local: boolean;
  readonly sealWrap: boolean;
  /** Seconds; 0: the system's. */
  readonly defaultLeaseTtl: number;
  /** Seconds; 0: the system's. */
  readonly maxLeaseTtl: number;
  /** null where the mount was made without. */
  readonly options: Readonly<Record<string, string>> | null;
  /** True for the mounts that belong to the server itself. */
  readonly builtIn: boolean;
}

export interface MountSettings {
  readonly description?: string | undefined;
  readonly defaultLeaseTtl?: number | undefined;
  readonly maxLeaseTtl?: number | undefined;
}

export interface NewMount extends MountSettings {
  readonly path: string;
  readonly type: string;
  readonly local: boolean;
  readonly sealWrap: boolean;
  readonly options: Readonly<Record<string, string>>;
}

/** `auth/token`. */
export interface TokenNeeds {
  /** A further root token, child of the caller's unless it is an orphan. */
  create(caller: Caller, settings: TokenSettings): Promise<HeldToken>;
  /** The caller's own token. */
  self(caller: Caller): Promise<HeldToken>;
  /** Revokes the caller's token and all its children. */
  revokeSelf(caller: Caller): Promise<void>;
}

export interface TokenSettings {
  /** A token text that the caller chose; undefined: a random one. */
  readonly id: string | undefined;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  readonly orphan: boolean;
}

/** A token and what is known of it: for its holder only. */
export interface HeldToken {
  readonly token: Secret<string>;
  readonly info: TokenInfo;
}

export interface TokenInfo {
  readonly accessor: string;
  readonly policies: readonly string[];
  /** The path that made it. */
  readonly path: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  readonly orphan: boolean;
  /** Seconds since 1970. */
  readonly creationTime: number;
}

/** `sys/metrics`. Throws ApiError `unsupported-path` where the server was told to keep none. */
export interface MetricsNeeds {
  families(): Promise<readonly Family[]>;
  /** In Prometheus' text format. */
  prometheus(): Promise<string>;
}

/** `sys/in-flight-req`. */
export interface RequestNeeds {
  inFlight(): readonly RequestInFlight[];
}

export interface RequestInFlight {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** With its port; empty where it is not known. */
  readonly remoteAddress: string;
  /** RFC 3339. */
  readonly startTime: string;
}

/** `sys/host-info`. Throws ApiError `unsupported-path` where nothing is known of the machine. */
export interface HostNeeds {
  info(): Promise<object>;
}

/** `sys/audit` and `sys/audit-hash`. Paths end in "/". */
export interface AuditNeeds {
  list(): Promise<readonly AuditDeviceInfo[]>;
  /** Makes a device, where the configuration allows it. Throws ApiError `invalid` with Vault's texts. */
  enable(device: AuditDeviceInfo): Promise<void>;
  /** Removes a device that was made over the API. None there: nothing happens. */
  disable(path: string): Promise<void>;
  /** What the device at `path` writes in the place of `input`. */
  hash(path: string, input: string): Promise<string>;
}

export interface AuditDeviceInfo {
  readonly path: string;
  readonly type: string;
  readonly description: string;
  readonly options: Readonly<Record<string, string>>;
  readonly local: boolean;
}

export interface Needs {
  readonly audit: AuditNeeds;
  readonly seal: SealNeeds;
  readonly keys: KeyNeeds;
  readonly rotation: RotationNeeds;
  readonly ceremonies: CeremonyNeeds;
  readonly mounts: MountNeeds;
  readonly tokens: TokenNeeds;
  readonly metrics: MetricsNeeds;
  readonly requests: RequestNeeds;
  readonly host: HostNeeds;
}
