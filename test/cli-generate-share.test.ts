/** `coffer operator generate-share`: the executable, its server, gpg, and a person at a terminal. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { decrypt, keyFile, openCeremony, shownFingerprint } from "./cli/ceremony.ts";
import { openLossyProxy } from "./cli/lossy-proxy.ts";
import type { Exchange } from "./cli/pty.ts";
import { coffer, fileOf } from "./cli/spawn.ts";
import { EXECUTABLE, startServer } from "./executable.ts";
import { pgpKey } from "./pgp-keys.ts";

// A ceremony takes a second or two; making the first key takes longer on a slow machine.
setDefaultTimeout(60_000);

/** A share of nobody: well-formed, with coordinate 1. */
const WRONG = `${"00".repeat(32)}01`;
const YES: Exchange = ["shall there be", "y"];

const share = (number: number, typed: string): Exchange => [`◆  Key share ${number} of 3 (not shown)`, `${typed}\r`];

describe("the whole ceremony at one terminal", () => {
  test("makes a share that unseals after a restart, and asks again for what is wrong", async () => {
    await using ceremony = await openCeremony();
    const [one = "", two = "", three = "", four = ""] = ceremony.unsealed.keys;
    const output = join(ceremony.folder, "share.asc");
    const { code, screen } = await ceremony.type(
      ["--pgp-key", await keyFile(), "--output", output],
      [YES, share(1, WRONG), share(1, "no share!"), share(1, one), share(2, one), share(2, two), share(3, three)],
    );
    expect({ code, screen }).toMatchObject({ code: 0 });
    expect(screen).toContain("Key Shares         3 of 5 → 3 of 6\r\n");
    expect(screen).toContain(`PGP Fingerprint    ${await shownFingerprint()}\r\n`);
    expect(screen).toContain("* wrong key share: it is none of this coffer's\r\n");
    expect(screen).toContain("coffer: the answer holds something other than one key share\r\n");
    expect(screen).toContain("* given key has already been provided");
    for (const line of ["1 of 3\r\n", "2 of 3\r\n", "3 of 3\r\n"]) expect(screen).toContain(line);
    expect(screen).toContain(`Success! The encrypted share is in ${output}\r\n`);
    expect(screen).toContain(`gpg --decrypt ${output}\r\n`);
    for (const typed of [one, two, three, WRONG, "no share!"]) expect(screen).not.toContain(typed);

    expect(statSync(output).mode & 0o777).toBe(0o600);
    const made = await decrypt(output);
    await ceremony.server.stop();
    await using again = await startServer({ args: ["--storage", `file:${ceremony.folder}/store`] });
    await again.unseal([made, four, two]);
    const { body } = await again.call("GET", "sys/seal-status");
    expect(body).toMatchObject({ sealed: false, t: 3, n: 6 });
  });

  test("left by Ctrl-C, goes on: the next one is told for whom, and custodians give their shares elsewhere", async () => {
    await using ceremony = await openCeremony();
    const [one = "", two = "", three = ""] = ceremony.unsealed.keys;
    const key = await keyFile();
    const left = await ceremony.type(["--pgp-key", key], [YES, share(1, one), ["◆  Key share 2", "\u0003"]]);
    expect(left.code).toBe(1);
    expect(left.screen).toContain("coffer: cancelled\r\ncoffer: hint: the attempt goes on");
    expect(left.screen).toContain("coffer: hint: `coffer operator generate-share cancel` ends it\r\n");
    expect(await ceremony.progress()).toBe(1);

    const second = await ceremony.type(["--pgp-key", key], []);
    expect(second.code).toBe(2);
    expect(second.screen).toContain(`already, for the PGP key ${await shownFingerprint()} (1 of 3 shares given)`);

    const typed = (text: string): Exchange => ["◆  Unseal key (not shown)", `${text}\r`];
    const elsewhere = await ceremony.type(["update"], [YES, typed(two)]);
    expect(elsewhere).toMatchObject({ code: 0 });
    expect(elsewhere.screen).toContain("2 of 3 shares given\r\n");
    const last = await ceremony.type(["update"], [YES, typed(three)]);
    expect(last.screen).toContain("Key Shares         3 of 5 → 3 of 6\r\n");
    expect(last.screen).toContain("-----END PGP MESSAGE-----\r\n");
    expect(last.screen).toContain("gpg --decrypt, given this message\r\n");
    const [armored = ""] = /-----BEGIN PGP MESSAGE-----[^]*-----END PGP MESSAGE-----/.exec(last.screen) ?? [];
    expect(await decrypt(fileOf("share.asc", armored))).toMatch(/^[A-Za-z0-9+/]{44}$/);
  });

  test("that nobody confirms is cancelled before any share is asked for", async () => {
    await using ceremony = await openCeremony();
    const { code, screen } = await ceremony.type(["--pgp-key", await keyFile()], [["shall there be", "\r"]]);
    expect(code).toBe(1);
    expect(screen).toContain("coffer: not confirmed: the attempt was cancelled\r\n");
    expect(screen).not.toContain("Key share 1");
    expect(await ceremony.progress()).toBeUndefined();
  });

  test("ends when somebody else cancels it", async () => {
    await using ceremony = await openCeremony();
    const [one = "", two = ""] = ceremony.unsealed.keys;
    const cancelled: Exchange = [
      "◆  Key share 2 of 3",
      async () => {
        await ceremony.run(["cancel"]);
        return `${two}\r`;
      },
    ];
    const { code, screen } = await ceremony.type(["--pgp-key", await keyFile()], [YES, share(1, one), cancelled]);
    expect(code).toBe(2);
    expect(screen).toContain("* no share generation in progress\r\n");
    expect(screen.match(/◆ {2}Key share/g)).toHaveLength(2);
  });
});

describe("update", () => {
  test("asks whether the recipient is right before it asks for the share, and takes Enter for a no", async () => {
    await using ceremony = await openCeremony();
    await ceremony.run(["start", "--pgp-key", await keyFile()]);
    const { code, screen } = await ceremony.type(["update"], [["shall there be", "\r"]]);
    expect(code).toBe(1);
    expect(screen).toContain(`PGP Fingerprint    ${await shownFingerprint()}\r\n`);
    expect(screen).toContain("coffer: not confirmed: no share was sent\r\n");
    expect(screen).not.toContain("Unseal key");
    expect(await ceremony.progress()).toBe(0);
  });

  test("gives no share to an attempt that took the place of the confirmed one", async () => {
    await using ceremony = await openCeremony();
    const [one = ""] = ceremony.unsealed.keys;
    const other = fileOf("other.asc", (await pgpKey("nistp256")).armored);
    await ceremony.run(["start", "--pgp-key", await keyFile()]);
    const exchanged: Exchange = [
      "◆  Unseal key (not shown)",
      async () => {
        await ceremony.run(["cancel"]);
        await ceremony.run(["start", "--pgp-key", other]);
        return `${one}\r`;
      },
    ];
    const { code, screen } = await ceremony.type(["update"], [YES, exchanged]);
    expect(code).toBe(2);
    expect(screen).toContain("* pgp_fingerprint is not the one of this attempt: the share was not counted\r\n");
    expect(screen).toContain("coffer: hint: `coffer operator generate-share status` shows for whom it is\r\n");
    expect(await ceremony.progress()).toBe(0);
  });

  test("without an attempt says how to start one, and how to get a lost answer", async () => {
    await using ceremony = await openCeremony();
    const { code, screen } = await ceremony.type(["update"], []);
    expect(code).toBe(2);
    expect(screen).toContain("coffer: no share is being generated\r\ncoffer: hint: start with");
    expect(screen).toContain("update --pgp-fingerprint FINGERPRINT\r\n");
  });

  test("writes the armored message to standard output, or to a new file and no other", async () => {
    await using ceremony = await openCeremony();
    const { fingerprint } = await pgpKey("curve25519");
    const files = ceremony.unsealed.keys.map((key) => fileOf("share", `${key}\n`));
    await ceremony.run(["start", "--pgp-key", await keyFile()]);
    const update = (at: number, ...args: string[]) =>
      ceremony.run(["update", "--pgp-fingerprint", fingerprint, "--key-file", files[at] ?? "", ...args]);
    await update(0);
    const taken = fileOf("share.asc", "mine");
    expect(await update(1, "--output", taken)).toEqual({
      code: 1,
      stdout: "",
      stderr: `coffer: ${taken} exists already\ncoffer: hint: name a new file: --output FILE\n`,
    });
    expect(readFileSync(taken, "utf8")).toBe("mine");
    const nowhere = await update(1, "--output", join(ceremony.folder, "no/share.asc"));
    expect(nowhere.stderr).toStartWith(`coffer: cannot write to ${ceremony.folder}/no: no such file\n`);
    expect(await ceremony.progress()).toBe(1);
    await update(1);
    const { stdout, stderr } = await update(2);
    expect(stderr).toBe("");
    expect(stdout).toStartWith("-----BEGIN PGP MESSAGE-----\n\n");
    expect(stdout).toEndWith("\n-----END PGP MESSAGE-----\n");
    const made = await decrypt(fileOf("share.asc", stdout));
    expect(made).toMatch(/^[A-Za-z0-9+/]{44}$/);
    // Whoever lost it gets it once more.
    const file = join(ceremony.folder, "again.asc");
    expect((await update(2, "--output", file)).stdout).toBe(`Success! The encrypted share is in ${file}\n`);
    expect(await decrypt(file)).toBe(made);
  });

  test("leaves a file alone that appeared meanwhile, and says how to get the answer again", async () => {
    await using ceremony = await openCeremony();
    const [one = "", two = "", three = ""] = ceremony.unsealed.keys;
    const output = join(ceremony.folder, "share.asc");
    const appears: Exchange = [
      "◆  Key share 3 of 3",
      async () => {
        await Bun.write(output, "another's");
        return `${three}\r`;
      },
    ];
    const args = ["--pgp-key", await keyFile(), "--output", output];
    const { code, screen } = await ceremony.type(args, [YES, share(1, one), share(2, two), appears]);
    expect(code).toBe(1);
    expect(screen).toContain(`coffer: cannot write ${output}: it exists already\r\n`);
    const [, again = ""] = /gets the answer again: coffer operator generate-share (.+)\r\n/.exec(screen) ?? [];
    expect(readFileSync(output, "utf8")).toBe("another's");
    const { stdout } = await ceremony.run(again.split(" "), two);
    expect(await decrypt(fileOf("share.asc", stdout))).toMatch(/^[A-Za-z0-9+/]{44}$/);
  });

  test("whose last answer is lost says how to get it, and that gets it", async () => {
    await using ceremony = await openCeremony();
    const [one = "", two = "", three = ""] = ceremony.unsealed.keys;
    const { fingerprint } = await pgpKey("curve25519");
    const update = ["update", "--pgp-fingerprint", fingerprint];
    await ceremony.run(["start", "--pgp-key", await keyFile()]);
    for (const key of [one, two]) await ceremony.run(update, key);
    await using proxy = await openLossyProxy(ceremony.server.port);
    const lost = await coffer(["operator", "generate-share", ...update], {
      env: { COFFER_ADDR: proxy.url },
      stdin: three,
      program: [EXECUTABLE],
    });
    expect({ code: lost.code, stdout: lost.stdout }).toEqual({ code: 2, stdout: "" });
    expect(lost.stderr).toContain("repeating the same update with the same share gets its answer again");
    const [, said = ""] = /again: coffer operator generate-share (.+)\n/.exec(lost.stderr) ?? [];
    expect(said).toBe(update.join(" "));
    const { stdout } = await ceremony.run(said.split(" "), three);
    expect(await decrypt(fileOf("share.asc", stdout))).toMatch(/^[A-Za-z0-9+/]{44}$/);
  });
});
