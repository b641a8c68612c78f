import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { ListenAddress } from '../../model/values/listen-address.ts';

/** A process that listens. */
export interface PortOwner {
  readonly pid: number;
  /** Its name, without arguments, which may hold secrets. */
  readonly name: string;
}

/**
 * The process that listens at an address or at all addresses of its port, as Linux says (proc(5),
 * `/proc/net/tcp`). Undefined: none does, or it belongs to another user, or there is no `/proc`.
 */
export function portOwner({ address, port }: ListenAddress): PortOwner | undefined {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
      listenersIn(linesOf(file)).flatMap((one) =>
        one.port === port && isAt(one.hexAddress, address) ? [`socket:[${one.inode}]`] : [],
      ),
    ),
  );
  if (inodes.size === 0) return undefined;
  const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name));
  const pid = pids.find((one) => socketsOf(one).some((socket) => inodes.has(socket)));
  if (pid === undefined) return undefined;
  const [name = ''] = linesOf(`/proc/${pid}/comm`);
  return { pid: Number(pid), name };
}

interface Listener {
  readonly hexAddress: string;
  readonly port: number;
  readonly inode: string;
}

/** TCP_LISTEN (include/net/tcp_states.h). */
const listening = '0A';

function listenersIn(lines: readonly string[]): readonly Listener[] {
  return lines.flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [hexAddress = '', hexPort = ''] = local.split(':');
    return state === listening ? [{ hexAddress, port: Number.parseInt(hexPort, 16), inode }] : [];
  });
}

/** Whether a listener takes connections to an address, or a new one there would clash with it. */
function isAt(hexAddress: string, address: string): boolean {
  const isAny = /^0+$/.test(hexAddress) || /^(?:0\.0\.0\.0|[0:]+)$/.test(address);
  return isAny || hexAddress === hexOf(address) || hexAddress.endsWith(`FFFF0000${hexOf(address)}`);
}

/** An IPv4 address as the kernel writes it: a number in the byte order of the machine, here little endian. */
function hexOf(address: string): string {
  const parts = address.split('.').map(Number).reverse();
  return parts.map((part) => part.toString(16).padStart(2, '0').toUpperCase()).join('');
}

function socketsOf(pid: string): readonly string[] {
  return namesIn(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
