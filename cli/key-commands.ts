/** The commands around keys and key shares, as client-commands.ts has the others: `coffer operator rotate` and so on. */

import { type Command, Option } from "commander";
import type { GuidedFlags } from "./commands/generate-share-guided.ts";
import type { UpdateFlags } from "./commands/generate-share-update.ts";
import type { RotateConfigFlags } from "./commands/operator-rotate-config.ts";
import { type Add, count, group } from "./declaration.ts";

/** Adds them to `operator`. */
export function declareKeyCommands(operator: Command, add: Add): void {
  add(operator, "rotate", {
    summary: "replace the encryption key by a new one; what was written before stays readable",
    examples: ["coffer operator rotate", "coffer operator rotate -format=json"],
    run: async (context) => (await import("./commands/operator-rotate.ts")).rotate(context),
  });
  declareRotateConfig(operator, add);
  declareGenerateShare(operator, add);
}

function declareRotateConfig(operator: Command, add: Add): void {
  const config = group(operator, "rotate-config", "when the encryption key is replaced by itself", [
    "coffer operator rotate-config",
    "coffer operator rotate-config set --interval 4320h",
  ]);
  add(config, "get", {
    summary: "print the settings (this is the default)",
    isDefault: true,
    examples: ["coffer operator rotate-config", "coffer operator rotate-config get -format=json"],
    run: async (context) => (await import("./commands/operator-rotate-config.ts")).get(context),
  });
  add<RotateConfigFlags>(config, "set", {
    summary: "change what is given, keep the rest, and print the settings as they are then",
    options: [
      new Option("--max-operations <n>", "after how many encryptions").argParser(count),
      new Option("--interval <duration>", "at which age, for example 4320h; 0: at none"),
      new Option("--enabled <bool>", "whether it is replaced by itself at all").choices(["true", "false"]),
    ],
    examples: [
      "coffer operator rotate-config set --max-operations 2000000000 --interval 4320h",
      "coffer operator rotate-config set --enabled=false",
    ],
    run: async (context, _, flags) => (await import("./commands/operator-rotate-config.ts")).set(context, flags),
  });
}

const pgpKey = new Option("--pgp-key <file>", "the new holder's PGP public key: armored, base64 or binary");
const output = new Option("--output <file>", "where the encrypted share goes, a new file (default: standard output)");

function declareGenerateShare(operator: Command, add: Add): void {
  const generateShare = add<GuidedFlags>(operator, "generate-share", {
    summary: "make one more key share, encrypted to its new holder: all at one terminal, or step by step",
    takesAnything: true,
    options: [pgpKey, output],
    examples: [
      "coffer operator generate-share --pgp-key grace.asc --output share.asc",
      "coffer operator generate-share start --pgp-key grace.asc",
      "coffer operator generate-share update",
    ],
    run: async (context, args, flags) =>
      (await import("./commands/generate-share-guided.ts")).guide(context, args, flags),
  });
  add<{ pgpKey?: string }>(generateShare, "start", {
    summary: "start making a further share for the holder of a PGP key",
    options: [new Option(pgpKey.flags, `${pgpKey.description}; -: standard input`)],
    examples: [
      "coffer operator generate-share start --pgp-key grace.asc",
      "gpg --export grace@example.org | coffer operator generate-share start --pgp-key -",
    ],
    run: async (context, _, flags) => (await import("./commands/operator-generate-share.ts")).start(context, flags),
  });
  add(generateShare, "status", {
    summary: "print whether a further share is being made, for whom, and how far it has got",
    isPublic: true,
    examples: ["coffer operator generate-share status", "coffer operator generate-share status -format=json"],
    run: async (context) => (await import("./commands/operator-generate-share.ts")).status(context),
  });
  add<UpdateFlags>(generateShare, "update", {
    summary: "give one key share: typed unseen, from a file, or from standard input",
    isPublic: true,
    takesAnything: true,
    options: [
      new Option("--key-file <file>", "read the share from this file"),
      new Option(
        "--pgp-fingerprint <hex>",
        "the new holder's whole PGP fingerprint: confirms for whom the share is given",
      ),
      output,
    ],
    examples: [
      "coffer operator generate-share update",
      "coffer operator generate-share update --output share.asc",
      "pass show coffer/share | coffer operator generate-share update --pgp-fingerprint '816938B8 …'",
    ],
    run: async (context, args, flags) =>
      (await import("./commands/generate-share-update.ts")).update(context, args, flags),
  });
  add(generateShare, "cancel", {
    summary: "end the attempt that is under way, and forget the shares given to it",
    examples: ["coffer operator generate-share cancel"],
    run: async (context) => (await import("./commands/operator-generate-share.ts")).cancel(context),
  });
}
