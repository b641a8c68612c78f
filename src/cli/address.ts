import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { idcNamePattern } from '../model/idc.ts';
import type { ListenAddress } from '../model/node.ts';
import type { AppAddress } from '../translate/bootstrap.ts';

/** Reads `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (then HOST is `fallback`). Commander's error names the option. */
export function parseAddress(text: string, fallback = '127.0.0.1'): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]*)):(\d+)$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new InvalidArgumentError(
      isIP(text) === 0
        ? `'${text}' is no address: write HOST:PORT, with an IP address as HOST.`
        : `'${text}' names no port: write ${text.includes(':') ? `[${text}]` : text}:PORT.`,
    );
  }
  const address = match[1] ?? (match[2] || fallback);
  if (isIP(address) === 0 && address !== 'localhost') {
    throw new InvalidArgumentError(
      `'${address}' is no IP address: Envoy and Isthmus bind and connect to IPs here.`,
    );
  }
  return { address: address === 'localhost' ? '127.0.0.1' : address, port };
}

/** Reads one address, or several by comma, into the list that an option has so far; none twice. */
export function addAddress(
  text: string,
  list: readonly ListenAddress[] | undefined,
): readonly ListenAddress[] {
  const shown = (list ?? []).map(showAddress);
  const added = text.split(',').map((one) => parseAddress(one.trim()));
  return [...(list ?? []), ...added.filter((one) => !shown.includes(showAddress(one)))];
}

/** Reads where a workload listens: `HOST:PORT` or `unix:///path`. */
export function parseApp(text: string): AppAddress {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (!path.startsWith('/')) {
      throw new InvalidArgumentError(
        `'${text}': a unix address needs an absolute path, unix:///run/app.sock.`,
      );
    }
    return { path };
  }
  return parseAddress(text);
}

/** An address as people write it. */
export function showAddress(listen: ListenAddress): string {
  return listen.address.includes(':')
    ? `[${listen.address}]:${listen.port}`
    : `${listen.address}:${listen.port}`;
}

/** Checks the name of an IDC. */
export function parseIdcName(text: string): string {
  if (!idcNamePattern.test(text)) {
    throw new InvalidArgumentError(`'${text}' is no IDC name: a-z, 0-9 and -, at most 32, not - at an end.`);
  }
  return text;
}
