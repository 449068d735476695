// Reads streams (one JSON string a line, one character for each byte) with the parser of node:http and prints what it takes for
// requests: one line of JSON for each stream.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";

/** The requests whose body has come whole, in their order. */
function read(stream) {
  const requests = [];
  return new Promise((resolve) => {
    const server = createServer({ requireHostHeader: true, insecureHTTPParser: false, keepAliveTimeout: 0 });
    const take = async (request, response) => {
      let body = "";
      request.setEncoding("latin1");
      request.on("data", (text) => (body += text));
      request.on("error", () => undefined);
      request.on("end", () => {
        requests.push({ method: request.method, target: request.url, body });
        response.end();
      });
    };
    for (const event of ["request", "checkContinue", "checkExpectation"]) server.on(event, take);
    server.on("clientError", (_, socket) => socket.destroy());
    const socket = new Duplex({
      read: () => undefined,
      write: (_bytes, _encoding, done) => done(),
      allowHalfOpen: true,
    });
    socket.setTimeout = socket.setNoDelay = socket.setKeepAlive = socket.ref = socket.unref = () => socket;
    socket.on("error", () => undefined);
    server.emit("connection", socket);
    socket.push(Buffer.from(stream, "latin1"));
    // A turn for each step of what can be on its way.
    let turns = 40;
    const wait = () => (turns-- > 0 ? setImmediate(wait) : (socket.destroy(), resolve(requests)));
    wait();
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await read(JSON.parse(line)))}\n`);
}
process.exit();
