import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { createXdsServer } from '../../src/xds/xds.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { fetchText, startEnvoy } from '../support/envoys/proxied.ts';
import { until } from '../support/mesh.ts';
import { freePort } from '../support/port.ts';

// Decisions 010 and 149 on a real Envoy: how an instance that is to go is drained. Three instances here, one
// in another place (priority 1); two of the three are drained, under load and with long requests on their
// way. Then all of them, with and without a panic threshold.

const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
const manager =
  'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const router = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
const clusterWith = (panicPercent: number) => ({
  '@type': typeUrl('CDS'),
  name: 'app',
  type: 'EDS',
  connect_timeout: '1s',
  eds_cluster_config: { eds_config: ads },
  common_lb_config: { healthy_panic_threshold: { value: panicPercent }, update_merge_window: '0s' },
  ignore_health_on_host_removal: true,
});
const listener = (port: number) => ({
  '@type': typeUrl('LDS'),
  name: 'entry',
  address: { socket_address: { address: '127.0.0.1', port_value: port } },
  filter_chains: [
    {
      filters: [
        {
          name: 'http',
          typed_config: {
            '@type': manager,
            stat_prefix: 'http',
            route_config: {
              virtual_hosts: [
                {
                  name: 'all',
                  domains: ['*'],
                  routes: [{ match: { prefix: '/' }, route: { cluster: 'app', timeout: '0s' } }],
                },
              ],
            },
            http_filters: [{ name: 'router', typed_config: { '@type': router } }],
          },
        },
      ],
    },
  ],
});

const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

/** An instance: `/` answers after 10 ms, `/long` after 2 s. */
async function instance(name: string) {
  const taken: number[] = [];
  const server = createServer((request, response) => {
    taken.push(performance.now());
    setTimeout(() => response.end(name), request.url === '/long' ? 2_000 : 10);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { name, taken, port: (server.address() as AddressInfo).port };
}

type How = 'without it' | 'DRAINING';

async function drainTwoOfThree(how: How) {
  const server = createXdsServer();
  const xdsPort = await server.listen('127.0.0.1:0');
  const port = await freePort();
  const [a, b, c, far] = await Promise.all(['a', 'b', 'c', 'far'].map(instance));
  const near = [a, b, c].filter((one) => one !== undefined);
  const endpoint = (one: { port: number }, health = 'UNKNOWN') => ({
    health_status: health,
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: one.port } } },
  });
  const state = (endpoints: object[]) => ({
    '@type': typeUrl('EDS'),
    cluster_name: 'app',
    policy: { overprovisioning_factor: 200 },
    endpoints: [
      { locality: { region: 'near' }, lb_endpoints: endpoints },
      { locality: { region: 'far' }, priority: 1, lb_endpoints: far ? [endpoint(far)] : [] },
    ],
  });
  server.upsert('envoy', [clusterWith(0), state(near.map((one) => endpoint(one))), listener(port)]);
  const envoy = await startEnvoy('envoy', xdsPort, 'DELTA_GRPC');
  try {
    await until('it serves', async () => (await fetchText(port)).status === 200);
    let going = true;
    const answers: { status: number; body: string }[] = [];
    const loads = Array.from({ length: 6 }, async () => {
      while (going)
        answers.push(await fetchText(port).catch((error) => ({ status: 0, body: String(error) })));
    });
    const long = Array.from({ length: 2 }, () => fetchText(port, '/long'));
    await sleep(systemClock, 500);
    const { revision } = server.upsert('envoy', [
      how === 'DRAINING'
        ? state(near.map((one, i) => endpoint(one, i === 0 ? 'UNKNOWN' : 'DRAINING')))
        : state(near.slice(0, 1).map((one) => endpoint(one))),
    ]);
    await until('the ACK', () => server.unconfirmed(revision).length === 0);
    const ackedAt = performance.now();
    const before = answers.length;
    await sleep(systemClock, 2_000);
    going = false;
    await Promise.all(loads);
    const after = answers.slice(before);
    return {
      failed: answers.filter(({ status }) => status !== 200).length,
      lateTaken: near.slice(1).flatMap(({ taken }) => taken.filter((at) => at > ackedAt + 5)).length,
      long: (await Promise.all(long)).map(({ status }) => status),
      after: after.length,
      spilled: after.filter(({ body }) => body === 'far').length,
    };
  } finally {
    await envoy.stop();
    await server.close();
  }
}

for (const how of ['without it', 'DRAINING'] as const) {
  t.test(`endpoints ${how}`, { timeout: 60_000 }, async (t) => {
    const seen = await drainTwoOfThree(how);
    t.comment(JSON.stringify(seen));
    t.equal(seen.failed, 0, 'no request fails');
    t.equal(seen.lateTaken, 0, 'no new request after the ACK');
    t.strictSame(seen.long, [200, 200], 'requests on their way are answered');
    t.equal(seen.spilled, 0, 'and nothing leaves the place: the rest does not count as sick');
  });
}

/** Requests that are answered, and that instances take, while all of them are DRAINING. */
async function drainAll(panicPercent: number) {
  const server = createXdsServer();
  const xdsPort = await server.listen('127.0.0.1:0');
  const port = await freePort();
  const all = await Promise.all(['a', 'b'].map(instance));
  const state = (health: string) => ({
    '@type': typeUrl('EDS'),
    cluster_name: 'app',
    endpoints: [
      {
        lb_endpoints: all.map((one) => ({
          health_status: health,
          endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: one.port } } },
        })),
      },
    ],
  });
  server.upsert('envoy', [clusterWith(panicPercent), state('UNKNOWN'), listener(port)]);
  const envoy = await startEnvoy('envoy', xdsPort, 'DELTA_GRPC');
  try {
    await until('it serves', async () => (await fetchText(port)).status === 200);
    const { revision } = server.upsert('envoy', [state('DRAINING')]);
    await until('the ACK', () => server.unconfirmed(revision).length === 0);
    const before = all.flatMap(({ taken }) => taken).length;
    const statuses: number[] = [];
    for (let i = 0; i < 40; i += 1) statuses.push((await fetchText(port)).status);
    return { statuses: new Set(statuses), taken: all.flatMap(({ taken }) => taken).length - before };
  } finally {
    await envoy.stop();
    await server.close();
  }
}

t.test('with all of them DRAINING none gets a request', { timeout: 60_000 }, async (t) => {
  t.strictSame(await drainAll(0), { statuses: new Set([503]), taken: 0 });
});

t.test('the control: a panic threshold sends them everything', { timeout: 60_000 }, async (t) => {
  t.strictSame(await drainAll(50), { statuses: new Set([200]), taken: 40 });
});
