import { isIP } from 'node:net';

/** What the address of a WorkloadEntry or of an inline endpoint is; `none`: it has only a network. */
export type AddressKind = 'ip' | 'dns' | 'unix' | 'none';

/**
 * Tells what an address is that `registry/` has already checked; it does not validate.
 * Only `ip` and `unix` may become an endpoint of EDS: Envoy rejects the whole assignment for one name in it.
 */
export function addressKind(address: string): AddressKind {
  if (address === '') return 'none';
  if (address.startsWith('unix://')) return 'unix';
  // Only what Envoy reads as an IP: 10.0.0.256 and 010.0.0.1 are none.
  return address.includes(':') || isIP(address) !== 0 ? 'ip' : 'dns';
}
