import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bootstrap } from '../../../protos/gen/envoy.d.ts';
import { findEnvoy } from '../envoy.ts';
import { freePort } from '../port.ts';

/** A running Envoy that gets everything by ADS. */
export interface ProxyProcess {
  readonly pid: number;
  /** A GET on the admin port, as text. */
  admin(path: string): Promise<string>;
  stop(): Promise<void>;
  /** What it wrote to its log. */
  log(): string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 8 });

/** A GET on localhost: status and body. Rejects when the connection fails. */
export function fetchText(port: number, path = '/'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

/** An HTTP server that answers `text` to everything. */
export async function answering(text: string): Promise<{ port: number; server: Server }> {
  const server = createServer((_request, response) => response.end(text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, server };
}

/**
 * Starts Envoy as node `id` on an ADS server. `apiType` is how it asks: State of the World or Delta. `more`
 * stands in its bootstrap too.
 */
export async function startEnvoy(
  id: string,
  xdsPort: number,
  apiType: 'GRPC' | 'DELTA_GRPC',
  more: Bootstrap = {},
): Promise<ProxyProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-envoy-'));
  const adminPort = await freePort();
  writeFileSync(
    join(folder, 'envoy.json'),
    JSON.stringify({ ...bootstrap(id, adminPort, xdsPort, apiType), ...more }),
  );
  const flags = ['--concurrency', '1', '--disable-hot-restart', '--use-dynamic-base-id', '-l', 'warning'];
  const child = spawn(findEnvoy(), ['-c', join(folder, 'envoy.json'), ...flags]);
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid as number,
    admin: async (path) => (await fetchText(adminPort, path)).body,
    log: () => log,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}

function bootstrap(id: string, admin: number, xds: number, apiType: 'GRPC' | 'DELTA_GRPC'): Bootstrap {
  const local = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  // A cluster that is never warm again must show: there is no timeout that hides it.
  const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' } as const;
  return {
    node: { id, cluster: 'test' },
    admin: { address: local(admin) },
    dynamic_resources: {
      ads_config: {
        api_type: apiType,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: local(xds) } }] }],
          },
        },
      ],
    },
  };
}
