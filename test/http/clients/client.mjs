// Reads requests, one JSON object a line, sends them with fetch or node:http, and prints the answers in the same form.
import { Agent, request as send } from "node:http";
import { createInterface } from "node:readline";

const [kind, port] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let sent = 0;

async function byFetch({ method, path, body, token }) {
  const headers = { "X-Vault-Token": token };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, body, headers });
  return { status: response.status, body: await response.text() };
}

function byHttp({ method, path, body, token }) {
  const { promise, resolve, reject } = withResolvers();
  const headers = { "X-Vault-Token": token };
  const request = send({ host: "127.0.0.1", port, method, path, agent, headers }, async (response) => {
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    if (sent > 0 && !request.reusedSocket) reject(new Error("the connection was not kept"));
    sent += 1;
    resolve({ status: response.statusCode, body: text });
  });
  request.on("error", reject);
  request.end(body);
  return promise;
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer = await (kind === "fetch" ? byFetch(request) : byHttp(request));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
agent.destroy();
