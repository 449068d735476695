import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { loadConfig, parseConfig } from "../cli/config.ts";
import { CliError } from "../cli/errors.ts";
import { isLoopback, parseListenAddress, refuseClearText } from "../cli/listen-address.ts";
import { fileOf } from "./cli/spawn.ts";

function failure(work: () => unknown): CliError {
  try {
    work();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("coffer.toml", () => {
  test("may say everything", () => {
    const path = fileOf(
      "coffer.toml",
      [
        'storage = "file:/var/lib/coffer" # where',
        'log_level = "debug"',
        'unauthenticated = ["generate-share"]',
        "unsafe_allow_api_audit_creation = true",
        "allow_audit_log_prefixing = true",
        "[listener]",
        'address = "[::1]:8300"',
        "unsafe_without_tls = true",
        'socket_mode = "0660"',
        'tls_cert_file = "server.pem"',
        'tls_key_file = "server.key"',
        'tls_client_ca_file = "clients.pem"',
        "tls_require_and_verify_client_cert = true",
        'x_forwarded_for_authorized_addrs = ["10.0.0.0/8", "fd00::1"]',
        "max_connections = 20",
        "[limits]",
        "refusals_per_minute = 5",
        "[telemetry]",
        "unauthenticated_metrics_access = true",
        "[[audit]]",
        'type = "file"',
        'path = "main"',
        'description = "where it goes"',
        'options = { file_path = "/var/log/coffer/audit.log", hmac_accessor = false }',
        "[[audit]]",
        'type = "socket"',
        'options = { address = "127.0.0.1:9000" }',
      ].join("\n"),
    );
    expect(loadConfig(path)).toEqual({
      storage: "file:/var/lib/coffer",
      logLevel: "debug",
      unauthenticated: ["generate-share"],
      listener: {
        address: "[::1]:8300",
        unsafeWithoutTls: true,
        socketMode: 0o660,
        tls: { cert: "server.pem", key: "server.key", clientCa: "clients.pem", requireClientCert: true },
        trustedProxies: ["10.0.0.0/8", "fd00::1"],
        maxConnections: 20,
      },
      limits: { refusalsPerMinute: 5 },
      telemetry: { unauthenticatedMetricsAccess: true },
      audit: {
        devices: [
          {
            type: "file",
            path: "main",
            description: "where it goes",
            options: { file_path: "/var/log/coffer/audit.log", hmac_accessor: "false" },
          },
          { type: "socket", description: "", options: { address: "127.0.0.1:9000" } },
        ],
        allowApi: true,
        allowPrefix: true,
      },
    });
  });

  test("may say nothing", () => {
    const defaults = {
      storage: undefined,
      logLevel: "info",
      unauthenticated: [],
      listener: {
        address: "127.0.0.1:8200",
        unsafeWithoutTls: false,
        socketMode: 0o600,
        tls: undefined,
        trustedProxies: [],
        maxConnections: 1000,
      },
      limits: { refusalsPerMinute: 100 },
      telemetry: { unauthenticatedMetricsAccess: false },
      audit: { devices: [], allowApi: false, allowPrefix: false },
    } as const;
    expect(parseConfig("", "coffer.toml")).toEqual(defaults);
    expect(parseConfig("[listener]", "coffer.toml")).toEqual(defaults);
  });

  test.each([
    ["an unknown key", 'storge = "hunter2"', "coffer.toml: storge is not a known key"],
    ["an unknown key of a table", '[listener]\nadress = "hunter2"', "coffer.toml: listener.adress is not a known key"],
    ["an unknown table", '[hunter]\nx = "hunter2"', "coffer.toml: hunter is not a known key"],
    ["a number for a text", "storage = 8200", "coffer.toml: storage must be a string in quotes"],
    [
      "a certificate without its key",
      '[listener]\ntls_cert_file = "hunter2"',
      "coffer.toml: listener.tls_key_file is missing",
    ],
    [
      "a key without its certificate",
      '[listener]\ntls_key_file = "hunter2"',
      "coffer.toml: listener.tls_cert_file is missing",
    ],
    [
      "client certificates that nobody vouches for",
      "[listener]\ntls_require_and_verify_client_cert = true",
      "coffer.toml: listener.tls_client_ca_file is missing",
    ],
    [
      "a mode that is none",
      '[listener]\nsocket_mode = "0888"',
      'coffer.toml: listener.socket_mode must be like "0660"',
    ],
    [
      "a proxy that is no address",
      '[listener]\nx_forwarded_for_authorized_addrs = ["10.0.0.0/33"]',
      "coffer.toml: listener.x_forwarded_for_authorized_addrs holds what is no address",
    ],
    ["no connections", "[listener]\nmax_connections = 0", "coffer.toml: listener.max_connections must be at least 1"],
    ["an empty text", 'storage = ""', "coffer.toml: storage must not be empty"],
    [
      "a level that does not exist",
      'log_level = "hunter2"',
      "coffer.toml: log_level must be one of debug, info, warn, error",
    ],
    [
      "a text for a boolean",
      '[listener]\nunsafe_without_tls = "hunter2"',
      "coffer.toml: listener.unsafe_without_tls must be true or false, without quotes",
    ],
    ["a text for a table", 'listener = "hunter2"', "coffer.toml: listener must be a table"],
    [
      "a limit that is none",
      "[limits]\nrefusals_per_minute = 0",
      "coffer.toml: limits.refusals_per_minute must be a whole number from 1 to 1000000",
    ],
    [
      "an audit device of an unknown type",
      '[[audit]]\ntype = "hunter2"\noptions = {}',
      'coffer.toml: audit.0.type must be "file" or "socket"',
    ],
    [
      "an audit device with a number",
      '[[audit]]\ntype = "file"\noptions = { mode = 600 }',
      "coffer.toml: audit.0.options.mode must be a string or a boolean",
    ],
    [
      "an audit device at no path",
      '[[audit]]\ntype = "file"\npath = "/hunter2"\noptions = {}',
      "coffer.toml: audit.0.path must be letters, digits, dots, dashes and underscores between slashes",
    ],
    ["audit as one table", '[audit]\ntype = "file"', "coffer.toml: audit must be tables: [[audit]]"],
    ["a text without quotes", '\n\nstorage = hunter2\nlog_level = "info"', "coffer.toml: line 3: not valid TOML"],
    ["a key that comes twice", 'storage = "hunter2"\nstorage = "hunter2"', "coffer.toml: line 2: not valid TOML"],
  ])("with %s is refused, by its key or line and not by its value", (_, text, message) => {
    const { message: said, hints, stack, cause } = failure(() => parseConfig(text, "coffer.toml"));
    expect(said).toBe(message);
    expect(hints[0]).not.toBe("");
    expect(`${said}${hints.join("")}${String(cause)}${stack}`).not.toContain("hunter2");
  });

  test("that cannot be read names the file and why", () => {
    expect(failure(() => loadConfig("/nowhere/coffer.toml")).message).toBe(
      "cannot read /nowhere/coffer.toml: no such file",
    );
    const path = fileOf("coffer.toml", new Uint8Array([0xff]));
    expect(failure(() => loadConfig(path)).message).toBe(`cannot read ${path}: it is not UTF-8 text`);
  });
});

describe("a listen address", () => {
  test.each([
    ["127.0.0.1:8200", "127.0.0.1", 8200],
    [":8200", "0.0.0.0", 8200],
    ["[::1]:8200", "::1", 8200],
    ["0.0.0.0:0", "0.0.0.0", 0],
    ["coffer.example:65535", "coffer.example", 65_535],
  ])("%s", (text, host, port) => expect(parseListenAddress(text)).toEqual({ host, port }));

  test.each([
    ["unix:/run/a.sock", "/run/a.sock"],
    ["unix:///run/a b.sock", "/run/a b.sock"],
  ])("%s", (text, path) => expect(parseListenAddress(text)).toEqual({ path }));

  test.each([
    "unix:",
    "unix:relative.sock",
    "unix://host/a.sock",
    "",
    "8200",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "::1:8200",
    "[::1]",
    "[127.0.0.1]:1",
    "[]:1",
    "a b:1",
    "http://127.0.0.1:8200",
    "a:1:2",
  ])("%p is refused", (text) => expect(failure(() => parseListenAddress(text)).hints[0]).toContain("HOST:PORT"));
});

describe("loopback", () => {
  test("is 127/8, ::1 however it is written, and the word localhost", () => {
    for (const host of ["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "localhost"]) {
      expect(isLoopback(host)).toBe(true);
    }
  });

  test("is nothing else", () => {
    const others = [
      "0.0.0.0",
      "::",
      "128.0.0.1",
      "10.0.0.1",
      "127.1",
      "127.0.0.1.example",
      "LOCALHOST",
      "localhost.",
      "::ffff:127.0.0.1",
      "",
    ];
    for (const host of others) expect(isLoopback(host)).toBe(false);
    fc.assert(fc.property(fc.domain(), (host) => !isLoopback(host)));
  });

  test("and nothing beyond it is served in the clear, unless told", () => {
    const everywhere = parseListenAddress(":8200");
    expect(failure(() => refuseClearText(everywhere, false)).hints.join()).toContain("--unsafe-listen-without-tls");
    refuseClearText(everywhere, true);
    refuseClearText(parseListenAddress("[::1]:8200"), false);
  });
});
