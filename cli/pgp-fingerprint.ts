import { CliError } from "./errors.ts";

/** A fingerprint for people to compare: upper case, in groups of four, as gpg prints it. */
export function fingerprintText(hex: string): string {
  return (
    hex
      .toUpperCase()
      .match(/.{1,4}/g)
      ?.join(" ") ?? ""
  );
}

/** The lower-case hex of a fingerprint as people write it. Throws CliError for a part of one: that proves nothing. */
export function parseFingerprint(text: string): string {
  const hex = text.replaceAll(/\s/g, "").toLowerCase();
  // 20 bytes in version 4 of the format, 32 in version 6 (RFC 9580, section 5.5.4).
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hex)) return hex;
  throw new CliError(
    "--pgp-fingerprint is not a whole PGP fingerprint",
    "give all its 40 hexadecimal digits, as `gpg --fingerprint NAME` prints them",
  );
}
