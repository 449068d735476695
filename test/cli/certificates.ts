/** Certificates for tests, made by openssl: an authority, and what it signed. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "../executable.ts";

export interface Certificate {
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly folder: string;
  readonly authority: Certificate;
  /** For `localhost` and 127.0.0.1. */
  readonly server: Certificate;
  /** For coffer.example alone. */
  readonly named: Certificate;
  /** For `localhost` and 127.0.0.1, until yesterday. */
  readonly expired: Certificate;
  readonly client: Certificate;
}

/** Makes them all, in a new folder. */
export function makeCertificates(): Certificates {
  const folder = newFolder();
  const authority = selfSigned(folder, "authority");
  const local = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  return {
    folder,
    authority,
    server: signed(authority, folder, "server", local),
    named: signed(authority, folder, "named", "subjectAltName=DNS:coffer.example"),
    expired: signed(authority, folder, "expired", local, -1),
    client: signed(authority, folder, "client", "extendedKeyUsage=clientAuth"),
  };
}

/** A certificate that signed itself, for 127.0.0.1. */
export function selfSigned(folder: string, name: string): Certificate {
  const paths = pathsOf(folder, name);
  const request = ["-x509", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"];
  openssl("req", ...request, ...newKey(paths.key, name), "-out", paths.cert);
  return paths;
}

function signed(authority: Certificate, folder: string, name: string, extension: string, days = 2): Certificate {
  const paths = pathsOf(folder, name);
  const [request, extensions] = [join(folder, `${name}.csr`), join(folder, `${name}.ext`)];
  openssl("req", ...newKey(paths.key, name), "-out", request);
  writeFileSync(extensions, extension);
  const by = ["-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial", "-days", String(days)];
  openssl("x509", "-req", "-in", request, ...by, "-extfile", extensions, "-out", paths.cert);
  return paths;
}

function pathsOf(folder: string, name: string): Certificate {
  return { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
}

function newKey(path: string, name: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path, "-subj", `/CN=${name}`];
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** The texts of a certificate and its key, as the runtime takes them. */
export function pemOf({ cert, key }: Certificate): { readonly cert: string; readonly key: string } {
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}
