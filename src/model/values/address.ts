/** What the address of a WorkloadEntry or of an inline endpoint is; `none`: it has only a network. */
type AddressKind = 'ip' | 'dns' | 'unix' | 'none';

/** Dotted decimal, each part 0 to 255 without leading zeros. */
const ipv4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

/**
 * Tells what an address is that `registry/` has already checked; it does not validate.
 * Only `ip` and `unix` may become an endpoint of EDS: Envoy rejects the whole assignment for one name in it.
 */
export function addressKind(address: string): AddressKind {
  if (address === '') return 'none';
  if (address.startsWith('unix://')) return 'unix';
  // Only what Envoy reads as an IP: 10.0.0.256 and 010.0.0.1 are none.
  return address.includes(':') || ipv4.test(address) ? 'ip' : 'dns';
}

/** Whether only programs of the same machine can connect to an IP address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (address.startsWith('127.') && addressKind(address) === 'ip');
}
