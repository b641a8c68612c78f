/** `host:port` as Envoy listens on it. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** An address as people write it. */
export function showAddress(listen: ListenAddress): string {
  return listen.address.includes(':')
    ? `[${listen.address}]:${listen.port}`
    : `${listen.address}:${listen.port}`;
}
