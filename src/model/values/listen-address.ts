/** A listening address. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** An address as text. */
export function showAddress(listen: ListenAddress): string {
  return listen.address.includes(':')
    ? `[${listen.address}]:${listen.port}`
    : `${listen.address}:${listen.port}`;
}

/** The address of an instance as text: that of a unix socket has no port. */
export function showEndpoint(endpoint: ListenAddress): string {
  return endpoint.address.startsWith('unix://') ? endpoint.address : showAddress(endpoint);
}
