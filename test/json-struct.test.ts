import { describe, expect, test } from "bun:test";

import { validate } from "../core/http/fields.ts";
import { InvalidInput } from "../core/http/json-error.ts";
import { goBool, goInt, goString, goStrings, struct } from "../core/http/json-struct.ts";
import { parseBody } from "../core/http/json.ts";

describe("struct", () => {
  const init = struct("InitRequest", { secret_shares: goInt, pgp_keys: goStrings, root_token_pgp_key: goString });
  const unseal = struct("UnsealRequest", { Key: goString, Reset: goBool });
  const zero = { secret_shares: 0, pgp_keys: [], root_token_pgp_key: "" };
  const parse = (text: string) => parseBody(new TextEncoder().encode(text));

  test.each([
    ["", zero],
    ["{}", zero],
    ['{"secret_shares":null,"pgp_keys":null,"other":{"a":1}}', zero],
    ['{"SECRET_Shares":7,"pgp_keys":["a",null]}', { ...zero, secret_shares: 7, pgp_keys: ["a", ""] }],
    ['{"secret_shares":-0,"__proto__":1,"constructor":2}', zero],
  ])("decodes %j", (text, value) => {
    expect(validate(init, parse(text))).toEqual(value);
  });

  test.each([
    ['{"secret_shares":"3"}', "string into Go struct field InitRequest.secret_shares of type int"],
    ['{"secret_shares":1.5}', "number into Go struct field InitRequest.secret_shares of type int"],
    ['{"secret_shares":1.0}', "number into Go struct field InitRequest.secret_shares of type int"],
    ['{"secret_shares":99999999999999999999}', "number into Go struct field InitRequest.secret_shares of type int"],
    ['{"secret_shares":true}', "bool into Go struct field InitRequest.secret_shares of type int"],
    ['{"secret_shares":{}}', "object into Go struct field InitRequest.secret_shares of type int"],
    ['{"pgp_keys":"a"}', "string into Go struct field InitRequest.pgp_keys of type []string"],
    ['{"pgp_keys":["a",1]}', "number into Go struct field InitRequest.pgp_keys of type string"],
    ['{"pgp_keys":[["a"]]}', "array into Go struct field InitRequest.pgp_keys of type string"],
    ["[]", "array into Go value of type http.InitRequest"],
    ["1.0", "number into Go value of type http.InitRequest"],
  ])("refuses %s", (text, detail) => {
    const message = `failed to decode JSON input: json: cannot unmarshal ${detail}`;
    expect(() => validate(init, parse(text))).toThrow(new InvalidInput(message));
  });

  test("names the field as the schema does", () => {
    const message =
      "failed to decode JSON input: json: cannot unmarshal number into Go struct field UnsealRequest.Key of type string";
    expect(() => validate(unseal, parse('{"key":5}'))).toThrow(new InvalidInput(message));
    expect(validate(unseal, parse('{"KEY":"k","reset":true}'))).toEqual({ Key: "k", Reset: true });
  });
});
