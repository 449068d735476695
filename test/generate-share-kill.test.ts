/** kill -9 of the executable while it makes a share: afterwards there is one, or the attempt can be brought to its end. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { newFolder, startServer } from "./executable.ts";
import { runs } from "./harness.ts";
import { announceSeed, killWithin } from "./kill.ts";
import { ATTEMPT, countOf, must, type SoftKey, softKey, UPDATE } from "./share-ceremony.ts";

setDefaultTimeout(120_000);

let recipient: SoftKey;
beforeAll(async () => void (recipient = await softKey()));

test("at any moment of the last update", async () => {
  const args = ["--storage", `file:${newFolder()}/store`];
  let server = await startServer({ args });
  const { token, keys } = await server.initAndUnseal(3, 2);
  const shares = [...keys];
  const seen = { before: 0, after: 0 };
  const random = announceSeed();
  const rounds = runs(12);
  // Milliseconds until the kill: longer after one that came before the issue, shorter after one that came after it.
  let delay = 1;
  for (let round = 0; round < rounds; round += 1) {
    const by = shares.slice(-2);
    await must(server.call("PUT", ATTEMPT, { token, body: { pgp_key: recipient.armored } }));
    await must(server.call("PUT", UPDATE, { body: { key: by[0] } }));
    const last = { body: { key: by[1] ?? "" } };
    const answer = server.call("PUT", UPDATE, last).catch(() => undefined);
    await killWithin(server, delay, random);
    const acknowledged = await answer;

    server = await startServer({ args });
    await server.unseal([shares[0] ?? "", shares.at(-1) ?? ""]);
    const { body: status } = await must(server.call("GET", ATTEMPT));
    const issued = status["started"] === false;
    seen[issued ? "after" : "before"] += 1;
    delay *= issued ? 0.5 : 2;
    if (acknowledged?.body["complete"] === true) expect(issued).toBe(true);
    expect(await countOf(server)).toBe(shares.length + (issued ? 1 : 0));
    if (!issued) expect(status).toMatchObject({ progress: 1, pgp_fingerprint: recipient.fingerprint });

    const again = await must(server.call("PUT", UPDATE, last));
    expect(again.body["complete"]).toBe(true);
    if (acknowledged?.body["complete"] === true) expect(again.text).toBe(acknowledged.text);
    shares.push(await recipient.open(again.body["key"]));
    expect(await countOf(server)).toBe(shares.length);
  }
  expect(new Set(shares.map((share) => share.slice(-2))).size).toBe(3 + rounds);
  await server.stop();
  server = await startServer({ args });
  await server.unseal(shares.slice(-2));
  await server.stop();
  expect(Math.min(seen.before, seen.after)).toBeGreaterThan(0);
  console.log(`killed ${seen.before} times before the share was issued, ${seen.after} times after`);
});
