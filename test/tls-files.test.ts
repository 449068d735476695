/** What the listener takes for a certificate, its key and the authorities of clients: nothing that is empty or cut off. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readTls } from "../cli/tls-files.ts";
import { makeCertificates } from "./cli/certificates.ts";
import { newFolder } from "./executable.ts";

const { server, authority } = makeCertificates();
const whole = { cert: server.cert, key: server.key, clientCa: authority.cert, requireClientCert: true };

function fileOf(text: string): string {
  const path = join(newFolder(), "file.pem");
  writeFileSync(path, text);
  return path;
}

const certificate = readFileSync(authority.cert, "utf8");

test("takes whole files, and authorities one after the other", () => {
  expect(readTls(whole).requestCert).toBe(true);
  expect(readTls({ ...whole, clientCa: fileOf(`${certificate}\n${certificate}`) }).rejectUnauthorized).toBe(true);
});

test.each([
  ["nothing", ""],
  ["white space", "\n"],
  ["text", "hunter2"],
  ["half a certificate", certificate.slice(0, certificate.length / 2)],
  ["a certificate, and half of the next", certificate + certificate.slice(0, certificate.length / 2)],
])("takes no file with %s", (_name, text) => {
  const path = fileOf(text);
  for (const name of ["cert", "clientCa"]) expect(() => readTls({ ...whole, [name]: path })).toThrow(path);
  if (!text.includes("CERTIFICATE")) expect(() => readTls({ ...whole, key: path })).toThrow("its key");
});
