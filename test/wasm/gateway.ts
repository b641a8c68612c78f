import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { findEnvoy } from '../support/envoy.ts';

/** One filtered listener. */
export interface GuardedPort {
  readonly name: string;
  /** Absent: only the router. */
  readonly filter?: object;
}

/**
 * A real Envoy with a listener for each filter; behind them a server that answers with the request headers it
 * got.
 */
export interface Gateway {
  /** Port by listener name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly pid: number;
  /** GET on Envoy's admin port. */
  admin(path: string): Promise<string>;
  close(): Promise<void>;
}

/** The Wasm filter as docs/trail.md has it, from local bytes. */
export function wasmFilter(name: string, bytes: Uint8Array): object {
  return {
    name: 'isthmus.trail',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm',
      config: {
        name,
        failure_policy: 'FAIL_RELOAD',
        reload_config: { backoff: { base_interval: '1s' } },
        vm_config: {
          vm_id: name,
          runtime: 'envoy.wasm.runtime.v8',
          code: { local: { inline_bytes: Buffer.from(bytes).toString('base64') } },
        },
      },
    },
  };
}

/**
 * Starts an Envoy and the server behind it, unless there is one at `behind`, on ports that the system
 * chooses.
 */
export async function startGateway(guarded: readonly GuardedPort[], behind?: number): Promise<Gateway> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-gateway-'));
  const upstream = createServer((request, response) => {
    response.setHeader('x-isthmus-served', '1');
    const body = JSON.stringify(request.rawHeaders);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const upstreamPort = behind ?? (upstream.address() as AddressInfo).port;
  const addressFile = join(dir, 'admin');
  await writeFile(join(dir, 'envoy.json'), JSON.stringify(bootstrap(guarded, upstreamPort)));
  const options = '--concurrency 1 --disable-hot-restart --use-dynamic-base-id -l warning'.split(' ');
  const args = ['-c', join(dir, 'envoy.json'), '--admin-address-path', addressFile, ...options];
  const envoy = spawn(findEnvoy(), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  envoy.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const gone = once(envoy, 'exit');
  const admin = async (path: string) =>
    (await fetch(`http://${await readFile(addressFile, 'utf8')}${path}`)).text();
  const close = async () => {
    if (envoy.exitCode === null) envoy.kill('SIGKILL');
    await gone;
    upstream.close();
    upstream.closeAllConnections();
    await rm(dir, { recursive: true });
  };
  while (!(await admin('/ready').catch(() => '')).startsWith('LIVE')) {
    if (envoy.exitCode !== null) {
      await close();
      throw new Error(`Envoy exited with ${envoy.exitCode}: ${log}`);
    }
    await sleep(systemClock, 20);
  }
  const listeners = JSON.parse(await admin('/listeners?format=json')) as {
    listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
  };
  const ports = listeners.listener_statuses.map(
    (one) => [one.name, one.local_address.socket_address.port_value] as const,
  );
  return { ports: new Map(ports), pid: envoy.pid as number, admin, close };
}

/** What came back for a raw request. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends header lines as they are, byte for byte (latin1), on a connection of their own. */
export async function sendRaw(
  port: number,
  lines: readonly (readonly [string, string])[],
): Promise<RawAnswer> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setEncoding('latin1');
  const head = [
    'GET / HTTP/1.1',
    'host: checkout.example',
    ...lines.map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${[...head, 'connection: close'].join('\r\n')}\r\n\r\n`, 'latin1');
  // Not to the end of the stream: after an answer of its own Envoy keeps the connection for another second.
  let answer = '';
  let split = -1;
  for await (const chunk of socket) {
    answer += chunk;
    split = answer.indexOf('\r\n\r\n');
    const length = /^content-length: (\d+)\r$/im.exec(answer)?.[1];
    if (split >= 0 && length !== undefined && answer.length >= split + 4 + Number(length)) break;
  }
  const [status = '', ...headers] = answer.slice(0, split).split('\r\n');
  return {
    status: Number(status.split(' ')[1]),
    headers: new Map(
      headers.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    ),
    body: answer.slice(split + 4),
  };
}

/** Envoy with these listeners, all to one server. */
export function bootstrap(guarded: readonly GuardedPort[], upstreamPort: number): object {
  const local = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  return {
    node: { id: 'gateway', cluster: 'sh-b' },
    admin: { address: local(0) },
    stats_config: {
      stats_tags: [
        { tag_name: 'isthmus_listener', regex: '^wasmcustom\\.isthmus_trail\\.(([a-z-]+)\\.)' },
        {
          tag_name: 'isthmus_peer',
          regex: '^wasmcustom\\.isthmus_trail\\.[a-z-]+\\.(peer\\.([a-z0-9_-]+)\\.)',
        },
      ],
    },
    static_resources: {
      listeners: guarded.map(({ name, filter }) => ({
        name,
        address: local(0),
        filter_chains: [{ filters: [connectionManager(name, filter)] }],
      })),
      clusters: [
        {
          name: 'upstream',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'upstream',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: local(upstreamPort) } }] }],
          },
        },
      ],
    },
  };
}

function connectionManager(name: string, filter: object | undefined): object {
  const type = 'type.googleapis.com/envoy.extensions.filters';
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      http_filters: [
        ...(filter === undefined ? [] : [filter]),
        { name: 'router', typed_config: { '@type': `${type}.http.router.v3.Router` } },
      ],
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }],
          },
        ],
      },
    },
  };
}
