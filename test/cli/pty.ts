import { newFolder } from "../executable.ts";

export interface Dialogue {
  readonly code: number;
  /** All that the terminal showed: what was printed, and what was typed where it is echoed. */
  readonly screen: string;
}

/** What to wait for on the screen, and what to type then; a function is for what happens meanwhile. */
export type Exchange = readonly [awaited: string, typed: string | (() => Promise<string>)];

/**
 * Runs a program on a pseudo-terminal of its own (`script`, of util-linux), which echoes what is typed, and plays the
 * person in front of it. What the program was waiting for that `exchanges` does not have ends the test by its timeout.
 */
export async function onTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  exchanges: readonly Exchange[],
): Promise<Dialogue> {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const child = Bun.spawn(
    ["script", "-q", "-e", "-f", "-E", "always", "-c", `stty cols 200 rows 50; exec ${quoted}`, "/dev/null"],
    {
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: newFolder(),
        SHELL: "/bin/sh",
        TERM: "xterm",
        NO_COLOR: "1",
        ...env,
      },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  let screen = "";
  let seen = 0;
  let next = 0;
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    screen += decoder.decode(bytes, { stream: true });
    for (;;) {
      const [awaited, typed] = exchanges[next] ?? [];
      const at = awaited === undefined ? -1 : screen.indexOf(awaited, seen);
      if (awaited === undefined || typed === undefined || at < 0) break;
      seen = at + awaited.length;
      next += 1;
      await child.stdin.write(typeof typed === "string" ? typed : await typed());
      await child.stdin.flush();
    }
  }
  const code = await child.exited;
  if (next < exchanges.length) throw new Error(`the terminal never showed "${exchanges[next]?.[0]}":\n${screen}`);
  return { code, screen };
}
