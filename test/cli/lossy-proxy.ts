import { connect, createServer, type AddressInfo } from "node:net";

/** Passes everything on to the server and its answers back, but hangs up when the answer to an update comes. */
export async function openLossyProxy(port: number): Promise<AsyncDisposable & { readonly url: string }> {
  const proxy = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    let isUpdate = false;
    client.on("data", (bytes: Uint8Array) => {
      isUpdate ||= new TextDecoder().decode(bytes).includes("generate-share/update");
      server.write(bytes);
    });
    server.on("data", (bytes: Uint8Array) => (isUpdate ? client.destroy() : client.write(bytes)));
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
    for (const socket of [client, server]) socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port: own } = proxy.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${own}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => proxy.close(() => resolve())),
  };
}
