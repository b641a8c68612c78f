import type { ListenAddress } from './node.ts';

/** An address as people write it. */
export function showAddress(listen: ListenAddress): string {
  return listen.address.includes(':')
    ? `[${listen.address}]:${listen.port}`
    : `${listen.address}:${listen.port}`;
}
