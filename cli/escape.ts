/**
 * Text from a server on its way to a terminal. A terminal obeys control characters (it retitles windows, moves the
 * cursor, hides text), so whoever may write a secret or an error message could write on the reader's screen.
 */

// \p{Cc}: C0, DEL and C1 (0x9b alone begins a sequence on some terminals). \p{Bidi_Control}: reorders the text around it.
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, "0");

/** One line: every control character, line breaks included, is shown as an escape. */
export function escapeLine(text: string): string {
  return text.replace(CONTROL, escaped);
}

/** Several lines: line breaks and tabs stay, everything else that a terminal obeys is shown as an escape. */
export function escapeText(text: string): string {
  return text.replace(CONTROL, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

/** JSON that means the same and holds no character that a terminal obeys (JSON itself leaves DEL and C1 as they are). */
export function escapeJson(json: string): string {
  return json.replace(CONTROL, (character) =>
    character === "\n" ? character : `\\u${hex(character.charCodeAt(0), 4)}`,
  );
}
