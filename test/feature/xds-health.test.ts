import t from 'tap';
import { createXdsServer } from '../../src/xds/xds.ts';
import { openHttp2 } from '../support/attacks/call.ts';
import { connectRaw } from '../support/clients/grpc-call.ts';
import { startEnvoy } from '../support/envoys/proxied.ts';
import { until } from '../support/mesh.ts';

const health = '/grpc.health.v1.Health';
const serving = Buffer.from([8, 1]);
const notServing = Buffer.from([8, 2]);
const unknown = Buffer.from([8, 3]);
const named = (service: string) => Buffer.from([10, service.length, ...Buffer.from(service)]);

t.test('grpc.health.v1: serving only when ready, and no more when it closes', async (t) => {
  const server = createXdsServer({ ready: false });
  const client = connectRaw(`127.0.0.1:${await server.listen('127.0.0.1:0')}`);
  t.teardown(async () => {
    client.close();
    await server.close();
  });
  const ads = named('envoy.service.discovery.v3.AggregatedDiscoveryService');
  const check = (request?: Buffer) => client.unary(`${health}/Check`, request);
  t.same(await check(), notServing);
  t.same(await check(ads), notServing);
  const whole = client.stream(`${health}/Watch`);
  const one = client.stream(`${health}/Watch`, ads);
  const other = client.stream(`${health}/Watch`, named('no.Such'));
  for (const stream of [whole, one]) t.same(await stream.next(), notServing);
  t.same(await other.next(), unknown);
  server.release();
  for (const stream of [whole, one]) t.same(await stream.next(), serving);
  t.same(await check(), serving);
  t.same(await check(named('envoy.service.route.v3.RouteDiscoveryService')), serving);
  await t.rejects(check(named('no.Such')), { code: 5, details: "there is no service 'no.Such' here" });
  await t.rejects(check(Buffer.from([10, 200])), { code: 3, details: /not a health check/ });
  const closing = server.close();
  t.same(await whole.next(), notServing);
  t.match(await whole.ended, { code: 14 });
  await closing;
});

t.test('a Watch takes one request', async (t) => {
  const server = createXdsServer();
  const { call, close } = openHttp2({ address: '127.0.0.1', port: await server.listen('127.0.0.1:0') });
  t.teardown(async () => {
    close();
    await server.close();
  });
  const watch = call(`${health}/Watch`);
  await watch.send(Buffer.alloc(0));
  await until('it is answered', () => watch.hasAnswer());
  await watch.send(Buffer.alloc(0));
  t.match(await watch.ended, /^status 3: a Watch takes one request/);
});

t.test('to a real Envoy the server is healthy once it is ready', { timeout: 60_000 }, async (t) => {
  const server = createXdsServer({ ready: false });
  const port = await server.listen('127.0.0.1:0');
  const local = { socket_address: { address: '127.0.0.1', port_value: port } };
  const envoy = await startEnvoy('envoy', port, 'DELTA_GRPC', {
    dynamic_resources: {},
    static_resources: {
      clusters: [
        {
          name: 'planes',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'planes',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: local } }] }],
          },
          health_checks: [
            {
              ...{ timeout: '1s', interval: '0.1s', no_traffic_interval: '0.1s' },
              ...{ unhealthy_threshold: 1, healthy_threshold: 1, grpc_health_check: {} },
            },
          ],
        },
      ],
    },
  });
  t.teardown(async () => {
    await envoy.stop();
    await server.close();
  });
  const flags = async () => /health_flags::(.*)/.exec(await envoy.admin('/clusters'))?.[1];
  const failures = async () =>
    Number(/health_check.failure: (\d+)/.exec(await envoy.admin('/stats?filter=health_check.failure'))?.[1]);
  await until('it was asked several times', async () => (await failures()) >= 3);
  t.match(await flags(), /failed_active_hc/);
  server.release();
  await until('healthy', async () => (await flags()) === 'healthy');
});
