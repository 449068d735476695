/** What a listener knows of a request beside the request itself. */
export interface Peer {
  /** Who sent it: an IP address without brackets; undefined over a Unix socket, and where the runtime does not tell. */
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  /** The verb as it was sent, where the runtime's `Request` cannot hold it: Bun makes a GET of `LIST`. */
  readonly method?: string | undefined;
  /** Path and query as they were sent: a runtime's `Request` has them without dot segments, and with other slashes. */
  readonly target?: string | undefined;
}
