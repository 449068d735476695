import { definePlugin, type RequestInFlight, route } from "../core/plugin.ts";

/** `sys/in-flight-req`: the requests that wait for their answer. */
export default definePlugin({
  name: "in-flight-req",
  needs: ["requests"],
  routes: ({ requests }) => [
    route({
      operation: "read",
      path: "sys/in-flight-req",
      summary: "The requests that wait for their answer, this one included",
      handle: () => ({
        kind: "bare",
        body: Object.fromEntries(requests.inFlight().map((request) => [request.id, requestBody(request)])),
      }),
    }),
  ],
});

/** `client_id` counts clients for a licence in Vault, and is empty for who is none of its entities. */
function requestBody({ startTime, remoteAddress, path, method }: RequestInFlight): object {
  return {
    start_time: startTime,
    client_remote_address: remoteAddress,
    request_path: path,
    request_method: method,
    client_id: "",
  };
}
