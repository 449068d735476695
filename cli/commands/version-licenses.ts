/** The text of THIRD-PARTY.txt, which the build makes and puts into the executable as a file. */

import path from "../../dist/THIRD-PARTY.txt" with { type: "file" };

/** Reads it from the executable: no other command pays for it. */
export function licenses(): Promise<string> {
  return Bun.file(path).text();
}
