/** Who sent a request. */
export interface Peer {
  /** An IP address without brackets; undefined over a Unix socket, and where the runtime does not tell. */
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}
