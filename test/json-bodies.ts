import * as fc from "fast-check";

const encoder = new TextEncoder();

/** JSON texts with a few bytes changed, put in, taken out or cut off, and texts glued from JSON's tokens. */
export function mutatedBodies(): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(), kind: fc.constantFrom("set", "insert", "remove", "cut"), byte: fc.nat(255) });
  const mutated = fc.tuple(fc.json(), fc.array(edit, { maxLength: 3 })).map(([text, edits]) => {
    const bytes = Array.from(encoder.encode(`{"password":"hunter2","n":1.0,"x":${text}}`));
    for (const { at, kind, byte } of edits) {
      const place = at % (bytes.length + 1);
      if (kind === "cut") bytes.length = place;
      else bytes.splice(place, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [byte]));
    }
    return Uint8Array.from(bytes);
  });
  const tokens = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    '"a"',
    "1",
    "0",
    "-",
    ".5",
    "e9",
    "true",
    "nul",
    " ",
    "\\u00e9",
    "\n",
  ];
  const glued = fc.array(fc.constantFrom(...tokens), { maxLength: 9 }).map((parts) => encoder.encode(parts.join("")));
  return fc.oneof(mutated, glued);
}
