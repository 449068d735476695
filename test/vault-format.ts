/**
 * A second reader and writer of Vault's storage format, by node:crypto and from the format's description alone: what
 * core/ stores is compared with it. It shares no code with core/.
 */
import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";

export interface VaultFrame {
  readonly term: number;
  readonly version: number;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

/** term (4 bytes, big endian) | version (1) | nonce (12) | ciphertext | tag (16) */
export function splitFrame(frame: Uint8Array): VaultFrame {
  if (frame.length < 4 + 1 + 12 + 16) throw new Error("no frame");
  const [a = 0, b = 0, c = 0, d = 0, version = 0] = frame;
  return {
    term: ((a * 256 + b) * 256 + c) * 256 + d,
    version,
    nonce: frame.subarray(5, 17),
    ciphertext: frame.subarray(17, -16),
    tag: frame.subarray(-16),
  };
}

/** Opens a frame of version 2, whose AAD is the path. */
export function openFrame(key: Uint8Array, path: string, frame: Uint8Array): Uint8Array {
  const { version, nonce, ciphertext, tag } = splitFrame(frame);
  if (version !== 2) throw new Error(`version ${version}`);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce);
  decipher.setAAD(Buffer.from(path, "utf8")).setAuthTag(tag);
  return new Uint8Array(Buffer.concat([decipher.update(ciphertext), decipher.final()]));
}

/** Seals a frame; version 1 is without AAD. */
export function sealFrame(term: number, version: number, key: Uint8Array, path: string, plaintext: Uint8Array) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(term, 0);
  head[4] = version;
  const nonce = randomFillSync(new Uint8Array(12));
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  if (version > 1) cipher.setAAD(Buffer.from(path, "utf8"));
  const sealed = [cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
  return new Uint8Array(Buffer.concat([head, nonce, ...sealed]));
}

export interface VaultKey {
  readonly term: number;
  readonly value: Uint8Array;
  readonly installTime: Date;
  readonly encryptions: number;
}

export interface VaultKeyring {
  readonly masterKey: Uint8Array;
  readonly keys: readonly VaultKey[];
  readonly disabled: boolean;
  readonly maxOperations: number;
  /** Nanoseconds. */
  readonly interval: number;
}

/** The keyring at `core/keyring`, as strict as a reader in Go with these field names would be. */
export function readKeyring(rootKey: Uint8Array, frame: Uint8Array): VaultKeyring {
  const { term } = splitFrame(frame);
  if (term !== 1) throw new Error("the frame of the keyring must say term 1");
  const text = new TextDecoder("utf-8", { fatal: true }).decode(openFrame(rootKey, "core/keyring", frame));
  const json = object(JSON.parse(text));
  const keys = array(json["Keys"]).map((item) => {
    const key = object(item);
    only(key, ["Term", "Version", "Value", "InstallTime"], ["encryptions"]);
    if (key["Version"] !== 1) throw new Error("key version");
    const encryptions = "encryptions" in key ? integer(key["encryptions"], 64) : 0;
    if ("encryptions" in key && encryptions === 0) throw new Error("encryptions is omitted when it is 0");
    return {
      term: integer(key["Term"], 32),
      value: bytes(key["Value"], 32),
      installTime: rfc3339(key["InstallTime"]),
      encryptions,
    };
  });
  only(json, ["MasterKey", "Keys", "RotationConfig"], ["incarnation"]);
  const rotation = object(json["RotationConfig"]);
  only(rotation, ["Disabled", "MaxOperations", "Interval"], []);
  if (typeof rotation["Disabled"] !== "boolean") throw new Error("Disabled is no bool");
  return {
    masterKey: bytes(json["MasterKey"], 32),
    keys,
    disabled: rotation["Disabled"],
    maxOperations: integer(rotation["MaxOperations"], 63),
    interval: integer(rotation["Interval"], 63),
  };
}

function only(json: Record<string, unknown>, required: readonly string[], optional: readonly string[]): void {
  for (const name of required) if (!(name in json)) throw new Error(`${name} is missing`);
  const known = new Set([...required, ...optional]);
  for (const name of Object.keys(json)) if (!known.has(name)) throw new Error(`unknown field ${name}`);
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("no object");
  return value as Record<string, unknown>;
}

function array(value: unknown): unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error("no list");
  return value;
}

function integer(value: unknown, bits: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value >= 2 ** bits)
    throw new Error(`no integer of ${bits} bits`);
  return value;
}

function bytes(value: unknown, length: number): Uint8Array {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw new Error("no base64");
  const decoded = new Uint8Array(Buffer.from(value, "base64"));
  if (decoded.length !== length || decoded.toBase64() !== value) throw new Error(`no base64 of ${length} bytes`);
  return decoded;
}

function rfc3339(value: unknown): Date {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
  if (typeof value !== "string" || !form.test(value)) throw new Error("no RFC 3339 time");
  return new Date(value);
}
