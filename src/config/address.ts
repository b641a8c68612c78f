import { isIP } from 'node:net';
import { MeshError } from '../base/error.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';

/**
 * Parses `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (then HOST is `fallback`). HOST is an IP address or localhost,
 * PORT 0 to 65535. Throws MeshError `invalid`.
 */
export function readAddress(text: string, fallback = '127.0.0.1'): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]*)):(\d+)$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new MeshError(
      'invalid',
      isIP(text) === 0
        ? `'${text}' is not an address: write HOST:PORT, with an IP address as HOST.`
        : `'${text}' has no port: write ${text.includes(':') ? `[${text}]` : text}:PORT.`,
    );
  }
  const address = match[1] ?? (match[2] || fallback);
  if (isIP(address) === 0 && address !== 'localhost')
    throw new MeshError(
      'invalid',
      `'${address}' is not an IP address: Envoy and Isthmus bind and connect to IPs here.`,
    );
  return { address: address === 'localhost' ? '127.0.0.1' : address, port };
}

/** What `readAddress` accepts, as a pattern for JSON Schemas. */
export const addressPattern = '^(\\[[0-9a-fA-F:.]+\\]|[0-9.]*|localhost):[0-9]{1,5}$';

/** Adds one address, or several by comma, to a list without duplicates. Throws MeshError `invalid`. */
export function readAddresses(text: string, list: readonly ListenAddress[] = []): readonly ListenAddress[] {
  return withoutTwins([...list, ...text.split(',').map((one) => readAddress(one.trim()))]);
}

/** The list without duplicates, in order of first occurrence. */
export function withoutTwins(list: readonly ListenAddress[]): readonly ListenAddress[] {
  return [...new Map(list.map((one) => [showAddress(one), one])).values()];
}
