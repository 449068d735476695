/** Reads a stream of answers as a client does that knows nothing but the standard. */

export interface Answer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** One character for each byte. */
  readonly body: string;
}

/**
 * All answers in `stream`, one character for each byte; those of 1xx, too. Throws when it is not whole answers and nothing
 * else. `methods`: of the requests in their order, for HEAD has answers without a body.
 */
export function parseAnswers(stream: string, methods: readonly string[] = []): Answer[] {
  const answers: Answer[] = [];
  let [rest, finals] = [stream, 0];
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) throw new Error(`no whole answer: ${JSON.stringify(rest.slice(0, 200))}`);
    const [statusLine = "", ...lines] = rest.slice(0, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) [A-Za-z ]*$/.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
    const headers = new Map(lines.map((line) => headerOf(line)));
    if (headers.size !== lines.length) throw new Error(`a header that comes twice: ${lines.join(" | ")}`);
    const isBodiless = status < 200 || status === 204 || (status >= 200 && methods[finals] === "HEAD");
    if (status >= 200) finals += 1;
    const length = isBodiless ? 0 : Number(headers.get("content-length"));
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length !== length) throw new Error(`a body of ${body.length} bytes in the place of ${length}`);
    answers.push({ status, headers, body });
    rest = rest.slice(end + 4 + length);
  }
  return answers;
}

function headerOf(line: string): [string, string] {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e]*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`no header: ${JSON.stringify(line)}`);
  return [name.toLowerCase(), value];
}
