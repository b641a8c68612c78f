/** What the address of a WorkloadEntry or of an inline endpoint is; `none`: it has only a network. */
export type AddressKind = 'ip' | 'dns' | 'unix' | 'none';

/**
 * Tells what an address is that `registry/` has already checked; it does not validate.
 * Only `ip` and `unix` may become an endpoint of EDS: Envoy rejects the whole assignment for one name in it.
 */
export function addressKind(address: string): AddressKind {
  if (address === '') return 'none';
  if (address.startsWith('unix://')) return 'unix';
  if (address.includes(':') || /^[0-9]+(?:\.[0-9]+){3}$/.test(address)) return 'ip';
  return 'dns';
}
