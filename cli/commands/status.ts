/** `coffer status`, and the status table that `operator unseal` prints too. */

import { Leader, SealStatus } from "../answers.ts";
import { checkAnswer } from "../client.ts";
import type { Context } from "../context.ts";
import { asCliError, CliError } from "../errors.ts";
import { table } from "../table.ts";

const FAILURE = "error checking seal status";

/**
 * Prints the seal status. Exit code 0: unsealed, 2: sealed (with `live` 0, too); every failure is 1, because 2 has a
 * meaning of its own.
 */
export async function status(context: Context, { live }: { readonly live?: boolean }): Promise<number> {
  try {
    const { body } = await context.client.request("GET", "sys/seal-status", { failure: FAILURE });
    const { sealed } = await printSealStatus(context, body, FAILURE);
    return sealed && live !== true ? 2 : 0;
  } catch (error) {
    const { message, hints, details, cause } = asCliError(error);
    throw new CliError(message, hints, { exitCode: 1, details, cause });
  }
}

/** Prints `body`, an answer in the form of `sys/seal-status`, together with what `sys/leader` says. */
export async function printSealStatus(context: Context, body: unknown, failure: string): Promise<SealStatus> {
  const seal = checkAnswer(SealStatus, body, failure);
  const leaderFailure = "error checking leader status";
  const answer = await context.client.request("GET", "sys/leader", {
    failure: leaderFailure,
    accept: (code, errors) => code === 503 && errors.includes("Vault is sealed"),
  });
  // Only a node of a cluster refuses to tell while it is sealed.
  const said = answer.status === 503 ? { ha_enabled: true } : answer.body;
  const leader = checkAnswer(Leader, said, leaderFailure);
  await context.print(table(["Key", "Value"], rows(seal, leader)), Object.assign({}, body, said));
  return seal;
}

function rows(seal: SealStatus, leader: Leader): string[][] {
  const recovery = seal.recovery_seal ? "Recovery " : "";
  const all: [key: string, value: string | number | boolean, shown?: boolean][] = [
    ["Seal Type", seal.type],
    ["Recovery Seal Type", seal.recovery_seal_type, seal.recovery_seal],
    ["Initialized", seal.initialized],
    ["Sealed", seal.sealed],
    [`Total ${recovery}Shares`, seal.n],
    ["Threshold", seal.t],
    ["Unseal Progress", `${seal.progress}/${seal.t}`, seal.sealed],
    ["Unseal Nonce", seal.nonce, seal.sealed],
    ["Seal Migration in Progress", true, seal.migration],
    ["Version", seal.version, seal.version !== ""],
    ["Build Date", seal.build_date, seal.build_date !== ""],
    ["Commit Date", seal.commit_date, seal.commit_date !== ""],
    ["Storage Type", seal.storage_type, seal.storage_type !== ""],
    ["Cluster Name", seal.cluster_name, seal.cluster_name !== "" && seal.cluster_id !== ""],
    ["Cluster ID", seal.cluster_id, seal.cluster_name !== "" && seal.cluster_id !== ""],
    ["HA Enabled", leader.ha_enabled],
    ...(leader.ha_enabled && !seal.sealed ? haRows(leader) : []),
    ["Raft Committed Index", leader.raft_committed_index, leader.raft_committed_index > 0],
    ["Raft Applied Index", leader.raft_applied_index, leader.raft_applied_index > 0],
  ];
  return all.filter(([, , shown = true]) => shown).map(([key, value]) => [key, String(value)]);
}

function haRows(leader: Leader): [key: string, value: string, shown?: boolean][] {
  return [
    ["HA Cluster", leader.leader_cluster_address],
    ["HA Mode", leader.is_self ? "active" : "standby"],
    ["Active Since", leader.active_time, leader.is_self && leader.active_time !== ""],
    ["Active Node Address", leader.leader_address, !leader.is_self && leader.leader_address !== ""],
  ];
}
