/** Run by backlog.test.ts, in a process of its own: prints by how much answers that nobody takes make the heap larger. */
import { fullGC, heapSize } from "bun:jsc";
import { once } from "node:events";
import { connect } from "node:net";
import { turns } from "../harness.ts";
import { textAnswer } from "./conversation.ts";
import { HEAD, started } from "./sockets.ts";

const ANSWER = 8 * 1024 * 1024;
const CLIENTS = 3;

// A text of its own for each of them.
const { port } = await started(() => textAnswer(Buffer.alloc(ANSWER, "x").toString()));
fullGC();
const before = heapSize();
for (let client = 0; client < CLIENTS; client += 1) {
  const socket = connect(port, "127.0.0.1");
  socket.write(HEAD);
  await once(socket, "data");
  socket.pause();
}
await turns(10);
fullGC();
process.stdout.write(JSON.stringify({ held: CLIENTS * ANSWER, heap: heapSize() - before }));
process.exit();
