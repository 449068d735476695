/**
 * Initialisation: a new KEK, split into shares; a new root key, wrapped by it; a new keyring; the first entries.
 *
 * `core/seal-config` is claimed first and becomes the configuration last, both by swaps. What lies in between is written
 * by swaps from what was there when the claim was taken: should two nodes ever both believe in their claim (one was
 * suspended for longer than a claim lasts), one of them loses a swap and gives up.
 *
 * The shares and the root token are handed over before that last swap: a store whose shares nobody could be told, because
 * no audit device took the answer, must not be one that is initialised.
 */
import type { Driver } from "../../storage/driver.ts";
import { firstTable, MOUNTS_PATH } from "../access/mount-table.ts";
import { TOKEN_SALT_PATH, Tokens } from "../access/tokens.ts";
import { Barrier } from "../barrier/barrier.ts";
import { createKeyring, KEYRING_PATH, sealKeyring } from "../barrier/keyring.ts";
import { newCluster, CLUSTER_PATH } from "../cluster.ts";
import type { Clock } from "../clock.ts";
import { KEY_BYTES, randomBytes } from "../crypto.ts";
import { sameBytes, toBase64, toHex } from "../encoding.ts";
import { ApiError, invalid } from "../errors.ts";
import type { Initialised, InitSettings } from "../needs.ts";
import { Secret } from "../secret.ts";
import { encryptTo, parseRecipient, type Recipient } from "./pgp.ts";
import { createRegister, encodeRegister, type Register, REGISTER_PATH } from "./register.ts";
import { ROOT_KEYS_PATH, wrapRootKeys } from "./root-keys.ts";
import { encodeClaim, encodeSealConfig, parseSealConfig, SEAL_CONFIG_PATH } from "./seal-config.ts";
import { MAX_SHARES, split } from "./shamir.ts";

/** A claim older than this is one whose node died: another may take it over. */
const CLAIM_LASTS_MS = 60_000;
const FIRST_ENTRIES = [REGISTER_PATH, CLUSTER_PATH, MOUNTS_PATH, TOKEN_SALT_PATH];

/**
 * Makes a new coffer in an empty store; `handOver` as `init` of SealNeeds says. Throws ApiError `invalid` with Vault's
 * texts for settings that make no sense, a store that is initialised, and one that another node is initialising.
 */
export async function initialise<T>(
  driver: Driver,
  clock: Clock,
  settings: InitSettings,
  handOver: (made: Initialised) => Promise<T>,
): Promise<T> {
  checkSplit(settings);
  // Before anything is written: a bad key must not leave a store behind whose keys nobody has.
  const recipients = await recipientsOf(settings, clock.now());
  const claim = await claimStore(driver, clock);
  const kek = randomBytes(KEY_BYTES);
  try {
    const before = await entriesThere(driver, claim);
    const shares = await split(kek, settings.shares, settings.threshold);
    const holders = recipients.shares.map(({ fingerprint }) => fingerprint);
    const register = createRegister(kek, shares, settings.threshold, holders, clock.now());
    const rootToken = await writeFirstEntries(driver, clock, before, kek, register);
    const handedOver = await handOver(await packed(shares, rootToken, recipients, clock.now()));
    if (!(await driver.swap(SEAL_CONFIG_PATH, claim.stored, encodeSealConfig(settings)))) throw lost();
    return handedOver;
  } catch (error) {
    await release(driver, claim);
    throw error;
  } finally {
    kek.fill(0);
  }
}

function checkSplit({ shares, threshold }: InitSettings): void {
  const wrong = (why: string) => invalid(`invalid seal configuration: ${why}`);
  if (shares < 1) throw wrong("shares must be at least one");
  if (threshold < 1) throw wrong("threshold must be at least one");
  if (shares > 1 && threshold === 1) throw wrong("threshold must be greater than one for multiple shares");
  if (shares > MAX_SHARES) throw wrong("shares must be less than 256");
  if (threshold > MAX_SHARES) throw wrong("threshold must be less than 256");
  if (threshold > shares) throw wrong("threshold cannot be larger than shares");
}

interface Recipients {
  /** One for each share, or none. */
  readonly shares: readonly Recipient[];
  readonly rootToken: Recipient | undefined;
}

async function recipientsOf({ shares, pgpKeys, rootTokenPgpKey }: InitSettings, now: number): Promise<Recipients> {
  if (pgpKeys.length > 0 && pgpKeys.length !== shares) {
    throw invalid(
      "invalid seal configuration: count mismatch between number of provided PGP keys and number of shares",
    );
  }
  return {
    shares: await Promise.all(pgpKeys.map((key, index) => parseNamed(key, `pgp_keys[${index}]`, now))),
    rootToken: rootTokenPgpKey === "" ? undefined : await parseNamed(rootTokenPgpKey, "root_token_pgp_key", now),
  };
}

async function parseNamed(key: string, name: string, now: number): Promise<Recipient> {
  try {
    return await parseRecipient(key, now);
  } catch (error) {
    if (error instanceof ApiError) throw invalid(`error parsing given PGP key: ${name}: ${error.message}`);
    throw error;
  }
}

/** What the answer holds: shares and token, each encrypted where there is a key for it. */
async function packed(
  shares: readonly Uint8Array[],
  rootToken: string,
  recipients: Recipients,
  now: number,
): Promise<Initialised> {
  const encrypted = await Promise.all(
    recipients.shares.map((recipient, index) => encryptTo(recipient, toHex(shares[index] ?? new Uint8Array()), now)),
  );
  if (encrypted.length > 0) for (const share of shares) share.fill(0);
  const token = recipients.rootToken && toBase64(await encryptTo(recipients.rootToken, rootToken, now));
  return {
    shares: (encrypted.length > 0 ? encrypted : shares).map((share) => new Secret(share)),
    rootToken: new Secret(token ?? rootToken),
  };
}

interface Claim {
  readonly id: string;
  /** As it is stored. */
  readonly stored: Uint8Array;
}

/** Puts this init's claim where the seal configuration will be. */
async function claimStore(driver: Driver, clock: Clock): Promise<Claim> {
  const there = await driver.get(SEAL_CONFIG_PATH);
  if (there === undefined) {
    // A keyring without a configuration is a store that lost an entry, not a new one.
    for (const path of [KEYRING_PATH, ROOT_KEYS_PATH]) {
      if ((await driver.get(path)) !== undefined)
        throw new ApiError("damaged", `${SEAL_CONFIG_PATH} is missing, but ${path} is there`);
    }
  } else {
    const config = parseSealConfig(there);
    if (config.kind === "config") throw invalid("Vault is already initialized");
    const age = clock.now() - config.at;
    // In a store that no other process can write to, who made the claim is dead: this process runs one init at a time.
    if (!driver.exclusive && age >= 0 && age < CLAIM_LASTS_MS) throw lost();
  }
  const id = toHex(randomBytes(16));
  const stored = encodeClaim({ id, at: clock.now() });
  if (!(await driver.swap(SEAL_CONFIG_PATH, there, stored))) throw lost();
  return { id, stored };
}

/** Lets the next init begin at once, should this one have failed: its claim is dated back. */
async function release(driver: Driver, { id, stored }: Claim): Promise<void> {
  await driver.swap(SEAL_CONFIG_PATH, stored, encodeClaim({ id, at: 0 })).catch(() => undefined);
}

/**
 * What an init that died may have left, as it is stored while the claim stands. That is looked at last: what an init
 * that took the claim over has written must not pass for something left behind, and be written over.
 */
async function entriesThere(driver: Driver, claim: Claim): Promise<ReadonlyMap<string, Uint8Array | undefined>> {
  const paths = [KEYRING_PATH, ROOT_KEYS_PATH, ...FIRST_ENTRIES];
  const there = new Map(await Promise.all(paths.map(async (path) => [path, await driver.get(path)] as const)));
  const claimed = await driver.get(SEAL_CONFIG_PATH);
  if (claimed === undefined || !sameBytes(claimed, claim.stored)) throw lost();
  return there;
}

/** Writes all that an unseal needs, and returns the root token. */
async function writeFirstEntries(
  driver: Driver,
  clock: Clock,
  before: ReadonlyMap<string, Uint8Array | undefined>,
  kek: Uint8Array,
  register: Register,
): Promise<string> {
  const rootKey = randomBytes(KEY_BYTES);
  const raw = [
    [ROOT_KEYS_PATH, wrapRootKeys(kek, [rootKey])],
    [KEYRING_PATH, sealKeyring(createKeyring(rootKey, clock.now()))],
  ] as const;
  for (const [path, value] of raw) {
    if (!(await driver.swap(path, before.get(path), value))) throw lost();
  }
  const barrier = await Barrier.open([rootKey], { driver, clock });
  try {
    const first: Record<string, Uint8Array> = {
      [REGISTER_PATH]: encodeRegister(register),
      [CLUSTER_PATH]: newCluster(),
      [MOUNTS_PATH]: firstTable(),
      [TOKEN_SALT_PATH]: Tokens.newSalt(),
    };
    for (const [path, value] of Object.entries(first)) {
      if ((await barrier.swap(path, before.get(path), value)) === undefined) throw lost();
    }
    return await (await Tokens.open(barrier, clock)).createRoot();
  } finally {
    await barrier.close();
  }
}

function lost(): ApiError {
  return invalid("Vault is being initialized on another node");
}
