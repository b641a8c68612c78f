import { isIP } from 'node:net';

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

/** A port's name: one DNS label. */
export function isPortName(text: string): boolean {
  return portName.test(text);
}
