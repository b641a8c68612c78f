import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { findEnvoy } from '../../src/drill/world/envoy.ts';
import { cpuMs, residentMiB } from '../support/process.ts';

/** What an Envoy takes that has as many plain clusters as a gateway has Groups, from a file. */
export interface PlainEnvoy {
  /** From the start of its process until it was live, in seconds; and the processor time of that. */
  readonly fillS: number;
  readonly fillCpuS: number;
  readonly residentMiB: number;
}

/**
 * Starts an Envoy of one worker with a cluster of one endpoint and a virtual host of one route for each
 * Group, waits until it is live, and ends it: the floor of a gateway. Rejects if it ends before.
 */
export async function measurePlainEnvoy(groups: number): Promise<PlainEnvoy> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-plain-'));
  const [config, address] = [join(folder, 'envoy.json'), join(folder, 'admin')];
  writeFileSync(config, JSON.stringify(plainConfig(groups)));
  const started = performance.now();
  const child = spawn(
    findEnvoy().path,
    [
      ...['-c', config, '--admin-address-path', address, '--concurrency', '1', '-l', 'warning'],
      ...['--disable-hot-restart', '--use-dynamic-base-id'],
    ],
    { stdio: 'ignore' },
  );
  const gone = once(child, 'exit');
  const state = async () => (await fetch(`http://${readFileSync(address, 'utf8')}/ready`)).text();
  try {
    while (!(await state().catch(() => '')).startsWith('LIVE')) {
      if (child.exitCode !== null) throw new Error(`an Envoy of plain clusters ended: ${child.exitCode}`);
      await sleep(systemClock, 20);
    }
    const pid = child.pid as number;
    const fillS = (performance.now() - started) / 1000;
    return { fillS, fillCpuS: cpuMs(pid) / 1000, residentMiB: residentMiB(pid) };
  } finally {
    child.kill('SIGKILL');
    await gone;
    rmSync(folder, { recursive: true });
  }
}

const anyPort = { socket_address: { address: '127.0.0.1', port_value: 0 } };

function plainConfig(groups: number): object {
  const names = Array.from({ length: groups }, (_, i) => `group-${i}.bench`);
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } };
  const type = (name: string) => ({ '@type': `type.googleapis.com/envoy.extensions.filters.${name}` });
  const router = { name: 'router', typed_config: type('http.router.v3.Router') };
  const manager = {
    ...type('network.http_connection_manager.v3.HttpConnectionManager'),
    ...{ stat_prefix: 'plain', http_filters: [router] },
    route_config: {
      virtual_hosts: names.map((name) => ({
        ...{ name, domains: [name] },
        routes: [{ match: { prefix: '/' }, route: { cluster: name } }],
      })),
    },
  };
  return {
    admin: { address: anyPort },
    static_resources: {
      clusters: names.map((name) => ({
        ...{ name, type: 'STATIC', connect_timeout: '1s' },
        load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
      })),
      listeners: [
        {
          ...{ name: 'plain', address: anyPort },
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
    },
  };
}
