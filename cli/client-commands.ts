/**
 * The client's commands, their options and their help, as one table. What a command does is in commands/ and is loaded
 * when it runs, so that no command pays for another.
 */

import { type Command, Option } from "commander";
import type { DoctorFlags } from "./commands/operator-doctor.ts";
import type { InitFlags } from "./commands/operator-init.ts";
import { type Add, count, group, openAdd } from "./declaration.ts";
import { declareKeyCommands } from "./key-commands.ts";
import type { Terminal } from "./terminal.ts";

/** Adds the client's commands to `program`; `onExit` gets the exit code of the one that ran. */
export function declareClient(program: Command, terminal: Terminal, onExit: (code: number) => void): void {
  const add = openAdd(terminal, onExit);
  add<{ live?: boolean }>(program, "status", {
    summary: "print the seal status; exit code 0: unsealed, 2: sealed, 1: error",
    isPublic: true,
    options: [new Option("--live", "exit with 0 when it is sealed, too: for health checks that restart what fails")],
    examples: ["coffer status", "coffer status -format=json", "coffer status --live"],
    run: async (context, _, flags) => (await import("./commands/status.ts")).status(context, flags),
  });
  declareOperator(program, add);
  declareKv(program, add);
  declareSecrets(program, add);
}

function declareOperator(program: Command, add: Add): void {
  const operator = group(program, "operator", "initialise, unseal and seal a server, and look after its keys", [
    "coffer operator init",
    "coffer operator unseal --key-file /media/usb/share",
  ]);
  add<InitFlags>(operator, "init", {
    summary: "initialise a server: create its root key, its key shares and its first token",
    isPublic: true,
    options: [
      new Option("--key-shares <n>", "into how many shares the key is split").argParser(count).default(5),
      new Option("--key-threshold <n>", "how many of them unseal").argParser(count).default(3),
      new Option(
        "--pgp-keys <files>",
        "files with a PGP public key for each share, with commas in between: encrypt to these",
      ),
      new Option("--root-token-pgp-key <file>", "a file with a PGP public key: encrypt the first token to it"),
      new Option("--status", "only tell whether it is initialised; exit code 0: yes, 2: no, 1: error"),
    ],
    examples: [
      "coffer operator init",
      "coffer operator init -key-shares=3 -key-threshold=2 -format=json",
      "coffer operator init -key-shares=3 -key-threshold=2 -pgp-keys=ada.asc,bob.asc,eve.asc -root-token-pgp-key=ada.asc",
      "coffer operator init -status",
    ],
    run: async (context, _, flags) => (await import("./commands/operator-init.ts")).init(context, flags),
  });
  add<{ keyFile?: string; reset?: boolean }>(operator, "unseal", {
    summary: "give the server one key share: typed unseen, from a file, or from standard input",
    isPublic: true,
    takesAnything: true,
    options: [
      new Option("--key-file <file>", "read the share from this file"),
      new Option("--reset", "forget the shares given so far"),
    ],
    examples: [
      "coffer operator unseal",
      "coffer operator unseal --key-file /media/usb/share",
      "pass show coffer/share | coffer operator unseal",
      "coffer operator unseal -reset",
    ],
    run: async (context, args, flags) => (await import("./commands/operator-unseal.ts")).unseal(context, args, flags),
  });
  add(operator, "seal", {
    summary: "seal the server: it forgets its keys and answers nothing until it is unsealed",
    examples: ["coffer operator seal"],
    run: async (context) => (await import("./commands/operator-seal.ts")).seal(context),
  });
  add(operator, "key-status", {
    summary: "print the term of the active encryption key, its age and how often it was used",
    examples: ["coffer operator key-status", "coffer operator key-status -format=json"],
    run: async (context) => (await import("./commands/operator-key-status.ts")).keyStatus(context),
  });
  add<DoctorFlags>(operator, "doctor", {
    summary: "look at this machine, the store and the server; exit code 0: nothing must be done, 2: something must",
    isPublic: true,
    options: [
      new Option("--config <file>", "the server's configuration file"),
      new Option("--storage <url>", "the store, in the place of the configuration's"),
    ],
    examples: [
      "coffer operator doctor --config /etc/coffer.toml",
      "coffer operator doctor --storage file:/var/lib/coffer -format=json",
    ],
    run: async (context, _, flags) => (await import("./commands/operator-doctor.ts")).doctor(context, flags),
  });
  declareKeyCommands(operator, add);
}

const mount = new Option("--mount <path>", "where the engine is mounted; <path> is then the rest");

function declareKv(program: Command, add: Add): void {
  const kv = group(program, "kv", "read and write secrets in a key-value engine", [
    "coffer kv put secret/app user=app password=@password.txt",
    "coffer kv get -field=user secret/app",
  ]);
  add<{ mount?: string; field?: string }>(kv, "get", {
    summary: "print a secret",
    args: [["<path>", "the secret, from the mount on"]],
    options: [mount, new Option("--field <name>", "print only this value, without a line break unless to a terminal")],
    examples: [
      "coffer kv get secret/app",
      "coffer kv get -mount=secret -field=password app",
      "coffer kv get -format=json secret/app",
      "coffer kv get --token-file /run/secrets/token secret/app",
      "pass show coffer/token | coffer kv get --token-file - secret/app",
    ],
    run: async (context, args, flags) => (await import("./commands/kv.ts")).get(context, args, flags),
  });
  add<{ mount?: string }>(kv, "put", {
    summary: "write a secret in the place of the one that was there",
    args: [
      ["<path>", "the secret, from the mount on"],
      ["<data...>", "key=value, key=@file, key=- (standard input); a JSON object: @file, - (standard input)"],
    ],
    options: [mount],
    examples: [
      "coffer kv put secret/app user=app password=@password.txt",
      "pwgen 24 1 | tr -d '\\n' | coffer kv put secret/app password=-",
      "coffer kv put secret/app @secret.json",
      "coffer kv put secret/app 'handle=\\@begins-with-an-at-sign'",
    ],
    run: async (context, args, flags) => (await import("./commands/kv.ts")).put(context, args, flags),
  });
  add<{ mount?: string }>(kv, "list", {
    summary: "print the names in a folder; folders end in a slash",
    args: [["[path]", "the folder, from the mount on"]],
    options: [mount],
    examples: ["coffer kv list secret", "coffer kv list -mount=secret team"],
    run: async (context, args, flags) => (await import("./commands/kv.ts")).list(context, args, flags),
  });
  add<{ mount?: string }>(kv, "delete", {
    summary: "delete a secret",
    args: [["<path>", "the secret, from the mount on"]],
    options: [mount],
    examples: ["coffer kv delete secret/app"],
    run: async (context, args, flags) => (await import("./commands/kv.ts")).remove(context, args, flags),
  });
}

function declareSecrets(program: Command, add: Add): void {
  const secrets = group(program, "secrets", "mount and unmount secrets engines", [
    "coffer secrets list",
    "coffer secrets enable -path=secret kv",
  ]);
  add<{ path?: string; description?: string }>(secrets, "enable", {
    summary: "mount a secrets engine",
    args: [["<type>", "the engine, for example kv"]],
    options: [
      new Option("--path <path>", "where to mount it (default: its type)"),
      new Option("--description <text>", "what it is for"),
    ],
    examples: ["coffer secrets enable kv", "coffer secrets enable -path=team/kv -description='of the team' kv"],
    run: async (context, args, flags) => (await import("./commands/secrets.ts")).enable(context, args, flags),
  });
  add(secrets, "list", {
    summary: "print what is mounted",
    examples: ["coffer secrets list", "coffer secrets list -format=json"],
    run: async (context) => (await import("./commands/secrets.ts")).list(context),
  });
  add(secrets, "disable", {
    summary: "unmount a secrets engine and delete everything in it",
    args: [["<path>", "where it is mounted"]],
    examples: ["coffer secrets disable team/kv"],
    run: async (context, args) => (await import("./commands/secrets.ts")).disable(context, args),
  });
}
