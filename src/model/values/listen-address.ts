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
