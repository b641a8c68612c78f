import { createServer } from 'node:net';
import { describeErrorCode, systemErrorCode } from '../../base/system-error.ts';
import { askStatus } from '../../client/status-client.ts';
import type { ControlPlaneConfig } from '../../config/options.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { Found } from './check-line.ts';
import { type PortOwner, portOwner } from './port-owner.ts';

/** Whether the addresses that a control plane listens on are free, or who has them. */
export async function checkPorts({ idc, xds, admin }: ControlPlaneConfig): Promise<readonly Found[]> {
  const running = await runningAt(admin.listen, idc);
  return Promise.all([
    checkPort('xds.listen', xds.listen, running),
    checkPort('admin.listen', admin.listen, running),
  ]);
}

/** A control plane of this IDC that runs already. */
interface Running {
  readonly idc: string;
  /** Undefined: it cannot be seen which process it is. */
  readonly owner: PortOwner | undefined;
}

async function runningAt(listen: ListenAddress, idc: string): Promise<Running | undefined> {
  if (listen.port === 0) return undefined;
  try {
    const status = await askStatus(reachable(listen));
    return status.idc === idc ? { idc, owner: portOwner(listen) } : undefined;
  } catch {
    return undefined;
  }
}

/** An address to connect to, where a server listens at all of its machine. */
function reachable({ address, port }: ListenAddress): ListenAddress {
  if (address === '0.0.0.0') return { address: '127.0.0.1', port };
  return address === '::' ? { address: '::1', port } : { address, port };
}

async function checkPort(name: string, listen: ListenAddress, running: Running | undefined): Promise<Found> {
  const common = { what: `${showAddress(listen)}, ${name}`, tried: 'listening there for a moment' };
  const code = await tryToListen(listen);
  if (code === undefined) return { ...common, result: 'ok', found: 'free' };
  if (code !== 'EADDRINUSE') {
    const todo =
      code === 'EACCES'
        ? 'ports below 1024 need a privilege (CAP_NET_BIND_SERVICE): give another port'
        : 'give an address of this machine, or run this check on the machine that has it';
    return { ...common, result: 'fail', found: describeErrorCode(code), todo };
  }
  const owner = portOwner(listen);
  const who = owner === undefined ? undefined : `process ${owner.pid} (${owner.name})`;
  if (running !== undefined && (owner === undefined || owner.pid === running.owner?.pid))
    return {
      ...common,
      result: 'ok',
      found: `used by the control plane of ${running.idc} that runs: ${who ?? 'its process is not seen'}`,
    };
  const found = `used by ${who ?? 'a process that is not seen: run this check as root'}`;
  return { ...common, result: 'fail', found, todo: `end that process, or give ${name} another address` };
}

/** Listens and closes again; the code of the error where that fails. */
function tryToListen({ address, port }: ListenAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (reason) => resolve(systemErrorCode(reason)));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
