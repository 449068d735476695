/** Requests that are right, however their bytes are cut: each is answered once, in order, and the next begins where it ends. */
import { describe, expect, test } from "bun:test";
import { converse, openConnection, type Seen, textAnswer } from "./conversation.ts";
import { turns } from "../harness.ts";

const GET = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const SIZED = "POST /sized HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab\r\nc";
const CHUNKED =
  'PUT /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3;x="y;z"\r\na\r\n\r\n00002 ;e\r\nbc\r\n0\r\nX: y\r\n\r\n';
const LIST = "LIST /list?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
const LAST = "DELETE /last HTTP/1.1\r\nHost: x\r\n\r\n";

const brief = (seen: readonly Seen[]) => seen.map(({ method, target, body }) => [method, target, body]);

describe("requests one behind the other", () => {
  const stream = GET + SIZED + CHUNKED + LIST + GET + LAST;
  const expected = [
    ["GET", "/a", ""],
    ["POST", "/sized", "ab\r\nc"],
    ["PUT", "/chunked", "a\r\nbc"],
    ["LIST", "/list?a=b", ""],
    ["GET", "/a", ""],
    ["DELETE", "/last", ""],
  ];
  const check = async (pieces: readonly string[]) => {
    const { seen, answers } = await converse(pieces);
    expect(brief(seen)).toEqual(expected);
    expect(answers.map(({ status, body }) => [status, body])).toEqual(
      expected.map(([method = "", target = "", body = ""]) => [200, `${method} ${target} ${body.length}`]),
    );
    expect(answers.map(({ headers }) => headers.get("connection"))).toEqual(expected.map(() => undefined));
  };

  test("in one packet", () => check([stream]));
  test("byte by byte", () => check(stream.split("")));
  test("in two packets, cut anywhere", async () => {
    for (let cut = 1; cut < stream.length; cut += 1) await check([stream.slice(0, cut), stream.slice(cut)]);
  });
  test("with an empty line between them", () => check([stream.replaceAll(/(?=GET|LIST|DELETE)/g, "\r\n")]));
  test("a thousand of them", async () => {
    const { seen, answers } = await converse([SIZED.repeat(1000)]);
    expect([seen.length, answers.length]).toEqual([1000, 1000]);
    expect(answers.map(({ headers }) => headers.get("x-request"))).toEqual(seen.map((_, index) => String(index + 1)));
  });
});

describe("the connection", () => {
  const outcome = async (...requests: string[]) => {
    const { seen, answers } = await converse([requests.join("")]);
    return { asked: seen.length, connection: answers.map(({ headers }) => headers.get("connection")) };
  };
  const old = (lines = "") => `GET /a HTTP/1.0\r\n${lines}\r\n`;
  const young = (lines = "") => `GET /a HTTP/1.1\r\nHost: x\r\n${lines}\r\n`;

  test.each([
    ["is kept", [young(), young()], [undefined, undefined]],
    ["is closed when the client says so", [young("Connection: close\r\n"), young()], ["close"]],
    ["is closed when it says so among other things", [young("Connection: x, Close ,y\r\n"), young()], ["close"]],
    ["is closed when it says so twice", [young("Connection: x\r\nConnection: close\r\n"), young()], ["close"]],
    ["of HTTP/1.0 is closed", [old(), old()], ["close"]],
    ["of HTTP/1.0 is kept when asked for", [old("Connection: Keep-Alive\r\n"), old()], ["keep-alive", "close"]],
    ["of HTTP/1.0 is closed when both are said", [old("Connection: keep-alive, close\r\n"), old()], ["close"]],
  ] as const)("%s", async (_name, requests, connection) => {
    expect(await outcome(...requests)).toEqual({ asked: connection.length, connection: [...connection] });
  });

  test("ends without an answer when half a request has come", async () => {
    for (const half of [GET.slice(0, -1), GET.slice(0, 9), "\r", "\r\n"]) {
      expect(await converse([half])).toEqual({ seen: [], answers: [] });
    }
  });

  test("ends when half a body has come, with an answer if the app has one", async () => {
    for (const half of [SIZED.slice(0, -1), CHUNKED.slice(0, -1), CHUNKED.slice(0, -30)]) {
      const { seen, answers } = await converse([half]);
      expect(seen).toEqual([]);
      expect(answers.map(({ status, headers }) => [status, headers.get("connection")])).toEqual([[400, "close"]]);
    }
  });
});

describe("targets", () => {
  test.each([
    ["GET", "/v1/a%2Fb/../c//d?x=%00#".slice(0, -1), undefined],
    ["GET", "http://x", "/"],
    ["GET", "HTTPS://x:8200/v1/a?b", "/v1/a?b"],
    ["GET", "http://[::1]:8200?b", "/?b"],
    ["OPTIONS", "*", undefined],
    ["OPTIONS", "/v1/a", undefined],
    ["GET", '/v1/"<>\\^`{|}', undefined],
    ["PURGE", "/v1/a", undefined],
  ])("%s %s", async (method, sent, target = sent) => {
    const { seen } = await converse([`${method} ${sent} HTTP/1.1\r\nHost: x\r\n\r\n`]);
    expect(brief(seen)).toEqual([[method, target, ""]]);
  });

  test("are UTF-8 where they are beyond ASCII", async () => {
    const stream = Buffer.from("GET /v1/\u00fc\u{1f511}\u2028\ufeff HTTP/1.1\r\nHost: x\r\n\r\n").toString("latin1");
    expect((await converse([stream])).seen[0]?.target).toBe("/v1/\u00fc\u{1f511}\u2028\ufeff");
  });
});

test("headers arrive as they were sent, blanks around them taken off, equal names joined", async () => {
  const lines = "X-A:  a b\t\r\nx-a:c\r\nX-Empty:\r\nX-Latin: \xe9\r\n!#$%&'*+-.^_`|~: odd\r\n";
  const { seen } = await converse([`GET /a HTTP/1.1\r\nHost: x\r\n${lines}\r\n`]);
  expect(Array.from(seen[0]?.headers ?? [])).toEqual(
    [
      ["!#$%&'*+-.^_`|~", "odd"],
      ["host", "x"],
      ["x-a", "a b, c"],
      ["x-empty", ""],
      ["x-latin", "\xe9"],
    ].toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1)) as [string, string][],
  );
});

test("100 headers are taken", async () => {
  const { answers } = await converse([`GET /a HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(99)}\r\n`]);
  expect(answers.map(({ status }) => status)).toEqual([200]);
});

test("large bodies arrive whole", async () => {
  const body = Array.from({ length: 300_000 }, (_, index) => String.fromCodePoint(index % 251)).join("");
  const sized = `PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const parts = body.match(/[^]{1,7000}/g) ?? [];
  const coded = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");
  const chunked = `PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${coded}0\r\n\r\n`;
  const stream = sized + chunked + GET;
  for (const size of [stream.length, 65_536, 1000]) {
    const { seen } = await converse(stream.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []);
    expect(seen.map((request) => request.body === body)).toEqual([true, true, false]);
    expect(seen[2]?.target).toBe("/a");
  }
});

test.each([
  ["many chunks of one byte", 1, 200_000],
  ["very many chunks of 24 bytes", 24, 300_000],
  ["larger chunks", 7000, 100],
])("%s are taken", async (_name, size, count) => {
  const chunk = `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`;
  const head = "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const { seen } = await converse([`${head}${chunk.repeat(count)}0\r\n\r\n`]);
  expect(seen.map(({ body }) => body.length)).toEqual([size * count]);
});

describe("a body that nobody reads", () => {
  const refuse = () => textAnswer("{}", 403);
  const statuses = async (...pieces: string[]) =>
    (await converse(pieces, refuse)).answers.map(({ status, headers }) => [status, headers.get("connection")]);

  test("is read off when it is small", async () => {
    expect(await statuses(SIZED + GET)).toEqual([
      [403, undefined],
      [403, undefined],
    ]);
  });
  test("ends the connection when it is large", async () => {
    const head = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n";
    expect(await statuses(head, GET.repeat(20_000))).toEqual([[403, "close"]]);
  });
  test("ends the connection when its end is not known", async () => {
    expect(await statuses(CHUNKED + GET)).toEqual([[403, "close"]]);
  });
  test("ends the connection when it was announced and not asked for", async () => {
    const announced = SIZED.replace("Content", "Expect: 100-continue\r\nContent").slice(0, -5);
    expect(await statuses(announced, GET)).toEqual([[403, "close"]]);
  });
});

describe.each(["GET", "LIST", "HEAD", "OPTIONS", "DELETE", "PURGE"])("a body of %s", (method) => {
  const of = (request: string) => request.replace(/^POST|^PUT/, method);
  const outcome = async (...pieces: string[]) => {
    const { seen, answers } = await converse(pieces);
    return { seen: brief(seen), statuses: answers.map(({ status }) => status) };
  };

  test("is dropped before the request is carried out", async () => {
    for (const request of [SIZED, CHUNKED]) {
      const [, target = ""] = request.split(" ");
      const stream = of(request) + GET;
      for (const pieces of [[stream], stream.split("")])
        expect(await outcome(...pieces)).toEqual({
          seen: [
            [method, target, ""],
            ["GET", "/a", ""],
          ],
          statuses: [200, 200],
        });
    }
  });
  test("that does not come whole keeps it from being carried out", async () => {
    for (const request of [SIZED, CHUNKED])
      expect(await outcome(of(request).slice(0, -1))).toEqual({ seen: [], statuses: [] });
  });
  test("is asked for where that is expected", async () => {
    const announced = of(SIZED).replace("Content", "Expect: 100-continue\r\nContent");
    const at = announced.indexOf("\r\n\r\n") + 4;
    expect((await outcome(announced.slice(0, at), announced.slice(at))).statuses).toEqual([100, 200]);
  });
  test("is refused when it is large", async () => {
    const head = `${method} /a HTTP/1.1\r\nHost: x\r\n`;
    const chunk = `1000\r\n${"x".repeat(0x1000)}\r\n`;
    for (const body of ["Content-Length: 300000\r\n\r\n", `Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(80)}`])
      expect(await outcome(head + body, GET)).toEqual({ seen: [], statuses: [413] });
  });
});

describe("Expect: 100-continue", () => {
  const head = "PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
  const statuses = async (pieces: string[]) => (await converse(pieces)).answers.map(({ status }) => status);

  test("the body is asked for when it is wanted", async () => {
    expect(await statuses([head, "abcde", GET])).toEqual([100, 200, 200]);
    expect(await statuses([head, "a", "bcde", GET])).toEqual([100, 200, 200]);
  });
  test("and not when it is there already", async () => {
    expect(await statuses([`${head}abcde${GET}`])).toEqual([200, 200]);
    expect(await statuses([`${head}ab`, `cde${GET}`])).toEqual([200, 200]);
  });
  test("and not of HTTP/1.0, which does not know it", async () => {
    expect(await statuses([head.replace("1.1", "1.0"), "abcde"])).toEqual([200]);
  });
});

test("HEAD and 204 have no body and no length, and the next answer follows at once", async () => {
  const app = ({ method }: { readonly method: string }) =>
    method === "DELETE" ? textAnswer(undefined, 204) : textAnswer("body");
  const requests = ["HEAD", "GET", "DELETE", "GET"].map((method) => GET.replace("GET", method));
  const { answers } = await converse([requests.join("")], app);
  expect(answers.map(({ body }) => body)).toEqual(["", "body", "", "body"]);
  expect(answers.map(({ headers }) => headers.has("content-length"))).toEqual([false, true, false, true]);
});

test("each request has its own headers, whether they are those of the request before or not", async () => {
  const request = (version: string, ...lines: string[]) => ["GET /a HTTP/" + version, ...lines, "", ""].join("\r\n");
  const one = ["Host: x", "X-Vault-Token: one"];
  const stream = [
    request("1.1", ...one),
    request("1.1", ...one),
    request("1.1", "Host: x", "X-Vault-Token: two"),
    request("1.1", ...one, "X-More: yes"),
    request("1.1", ...one),
    request("1.1", "Host: x"),
    // What is the same head for HTTP/1.1 ends the connection here.
    request("1.0", "Host: x"),
  ];
  const { seen, answers } = await converse([stream.join("")]);
  const told = seen.map(({ headers }) => [headers.get("x-vault-token"), headers.get("x-more")]);
  const [first, second, bare] = [
    ["one", null],
    ["two", null],
    [null, null],
  ];
  expect(told).toEqual([first, first, second, ["one", "yes"], first, bare, bare] as never);
  expect(answers.map(({ headers }) => headers.get("connection"))).toEqual([
    ...Array.from({ length: 6 }, () => undefined),
    "close",
  ] as never);
});

test("what a client has sent is not carried out any more when it is gone", async () => {
  let asked = 0;
  const { transport, served } = openConnection(() => textAnswer(String((asked += 1))));
  transport.isFull = true;
  transport.receiver.onData(Buffer.from(GET.repeat(10)));
  await turns(10);
  transport.receiver.onClose();
  await served;
  expect(asked).toBe(1);
});
