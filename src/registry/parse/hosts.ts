import { isIP } from 'node:net';

const dnsLabel = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;
const portName = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

/** An IPv4 or IPv6 address without zone, prefix or port. */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

/** An address with a prefix length, such as 10.0.0.0/8. */
export function isCidr(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/');
  if (address === undefined || prefix === undefined || rest.length > 0) return false;
  if (!isIpAddress(address) || !/^[0-9]{1,3}$/.test(prefix)) return false;
  return Number(prefix) <= (isIP(address) === 4 ? 32 : 128);
}

/** A DNS name of labels of letters, digits and `-`; no wildcard, no trailing dot. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => dnsLabel.test(label));
}

/**
 * A host of a ServiceEntry or DestinationRule, in the form of `canonicalHost`: a DNS name, or `*.` before
 * one. Not `*` alone.
 */
export function isHost(text: string): boolean {
  return isDnsName(text.startsWith('*.') ? text.slice(2) : text);
}

/** A port's name: one DNS label. */
export function isPortName(text: string): boolean {
  return portName.test(text);
}
