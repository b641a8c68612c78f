import { networkInterfaces } from 'node:os';
import { isLoopback } from '../model/values/address.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import type { AskedProxy } from './types.ts';

/** Where to read a proxy, or why it cannot be read. */
export type Way = ListenAddress | { readonly why: string };

/** Whether an IP address is one of this machine. */
function isOwnAddress(address: string): boolean {
  if (isLoopback(address)) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === address));
}

/**
 * Where a proxy is read. A proxy declares the address itself, so only its own is used: that of its stream's
 * peer, or loopback if the stream came from this machine. `isHere`: whether an address is of this machine.
 */
export function wayTo({ clusters, peer }: AskedProxy, isHere = isOwnAddress): Way {
  if (clusters === undefined) return { why: 'it does not say where: make its bootstrap anew, with --admin' };
  const from = hostOf(peer);
  const { address, port } = clusters;
  if (address === '0.0.0.0' || address === '::') return { address: from, port };
  if (address === from || (isLoopback(address) && isHere(from))) return clusters;
  const shown = showAddress(clusters);
  return {
    why: isLoopback(address)
      ? `its admin interface at ${shown} is for its own machine alone`
      : `${shown} is not the address that it connects from, ${from}`,
  };
}

/** The address of `address:port`, without brackets; an IPv4 address mapped to IPv6 as it was. */
function hostOf(peer: string): string {
  const host = peer.slice(0, peer.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
  return host.replace(/^::ffff:(?=\d+\.)/, '');
}
