/** The kind of address of a WorkloadEntry or inline endpoint; `none`: it has only a network. */
type AddressKind = 'ip' | 'dns' | 'unix' | 'none';

/** Dotted decimal, each part 0 to 255 without leading zeros. */
const ipv4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

/**
 * The kind of an address validated by `registry/`. Only `ip` and `unix` may become EDS endpoints: Envoy
 * rejects the whole assignment for one name.
 */
export function addressKind(address: string): AddressKind {
  if (address === '') return 'none';
  if (address.startsWith('unix://')) return 'unix';
  // Only what Envoy parses as an IP: not 10.0.0.256 or 010.0.0.1.
  return address.includes(':') || ipv4.test(address) ? 'ip' : 'dns';
}

/** Whether an IP address is reachable only from the same machine. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (address.startsWith('127.') && addressKind(address) === 'ip');
}
