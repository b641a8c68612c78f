import { InvalidArgumentError } from 'commander';
import { readAddress, readAddresses } from '../../config/address.ts';
import { readIdcName } from '../../model/idc.ts';
import { canonicalHost, isDnsName, isHost } from '../../model/values/hostname.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import type { AppAddress } from '../../translate/bootstrap.ts';
import { readArgument } from './argument.ts';

/** Parses an address as `readAddress` does. Commander's error names the option. */
export function parseAddress(text: string, fallback?: string): ListenAddress {
  return readArgument(() => readAddress(text, fallback));
}

/** Parses an address that others must know: port 0 is not allowed. */
export function parseBindAddress(text: string): ListenAddress {
  const listen = parseAddress(text);
  if (listen.port === 0) throw new InvalidArgumentError(`'${text}' has port 0: give one from 1 to 65535.`);
  return listen;
}

/** Parses an address to connect to. */
function parseReached(text: string): ListenAddress {
  const reached = parseBindAddress(text);
  if (/^(?:0\.0\.0\.0|[0:]+)$/.test(reached.address))
    throw new InvalidArgumentError(
      `'${reached.address}' is an address to listen on, not to connect to: give its own IP address.`,
    );
  return reached;
}

/** Adds addresses to connect to, by comma, to an option's list. */
export function addReached(
  text: string,
  list: readonly ListenAddress[] | undefined,
): readonly ListenAddress[] {
  return [...(list ?? []), ...text.split(',').map((one) => parseReached(one.trim()))];
}

/** Adds control planes, by comma, to an option's list: IP addresses, or names that DNS has. */
export function addControlPlane(
  text: string,
  list: readonly ListenAddress[] | undefined,
): readonly ListenAddress[] {
  return [...(list ?? []), ...text.split(',').map((part) => named(part.trim()) ?? parseReached(part.trim()))];
}

function named(text: string): ListenAddress | undefined {
  const [, name = '', digits = ''] = /^([^:]*[A-Za-z][^:]*):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const isName = name !== 'localhost' && isDnsName(name) && port >= 1 && port <= 65_535;
  return isName ? { address: name, port } : undefined;
}

/** Adds hosts, by comma, to an option's list: names, short names, `*.x`, or `*` for all. */
export function parseHosts(text: string, list?: readonly string[]): readonly string[] {
  const hosts = text
    .split(',')
    .map((host) => host.trim())
    .filter((host) => host !== '');
  if (hosts.length === 0) throw new InvalidArgumentError('it names no host: leave it out, or name one.');
  for (const host of hosts) {
    if (host === '*' || isHost(canonicalHost(host))) continue;
    const port = /^(.+):\d+$/.exec(host)?.[1];
    throw new InvalidArgumentError(
      port === undefined
        ? `'${host}' is not a host: write a name like checkout.shop, or *.shop for all below shop.`
        : `'${host}' has a port: name the host, ${port}, for all of its ports.`,
    );
  }
  return [...(list ?? []), ...hosts];
}

/** Adds one address, or several by comma, to an option's list without duplicates. */
export function addAddress(
  text: string,
  list: readonly ListenAddress[] | undefined,
): readonly ListenAddress[] {
  return readArgument(() => readAddresses(text, list));
}

/** Parses a workload's address: `HOST:PORT` or `unix:///path`. */
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
  return parseReached(text);
}

/** Validates the name of an IDC. */
export function parseIdcName(text: string): string {
  return readArgument(() => readIdcName(text));
}
