import t from 'tap';
import type { NodeScope } from '../../src/model/node.ts';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { idc, service, toYaml } from '../registry/objects.ts';
import { connectXds, type XdsClient, type XdsResponse } from '../support/clients/xds-client.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';

// An added Group's cluster, endpoints, scope and table come in one flight where nothing else serves its host
// (docs/decisions/161-a-group-comes-in-one-flight.md).

const mesh = await startMesh('sh-a', {});
t.teardown(() => mesh.close());
const app = await mesh.app((_request, response) => response.end('here'));

const group = (name: string, host: string) =>
  service(name, host, {
    workloadSelector: undefined,
    endpoints: [{ address: '127.0.0.1', ports: { http: app.port }, locality: 'sh-a' }],
  });
mesh.save('all.yaml', toYaml(idc('sh-a'), group('first', 'first.test'), group('wild', '*.wild.test')));
await until('the control plane is ready', () => mesh.plane.status().ready);

const caller: NodeScope = {
  role: 'sidecar',
  idc: 'sh-a',
  namespace: 'shop',
  outbound: { address: '127.0.0.1', port: 15001 },
};
const types = ['CDS', 'EDS', 'SRDS', 'RDS'] as const;

/** A Delta client in sync, that answers nothing from then on. */
async function silentClient(scope: NodeScope) {
  const client = connectXds(showAddress(mesh.plane.xds), 'delta', {
    id: 'silent',
    metadata: { isthmus: scope },
  });
  for (const type of types) {
    const names =
      type === 'EDS' ? ['instances/first.test:80'] : type === 'RDS' ? ['outbound/first.test'] : ['*'];
    client.send(type, { resource_names_subscribe: names });
    client.ack(await client.next());
  }
  return client;
}

/** What comes next, as `TYPE name …`. */
function shown({ type_url: url, resources = [] }: XdsResponse): string {
  return [url.split('.').at(-1), ...resources.map(({ name }) => name)].join(' ');
}

/** The next responses to a client. */
async function comes(client: XdsClient, count: number): Promise<XdsResponse[]> {
  const all: XdsResponse[] = [];
  while (all.length < count) all.push(await client.next());
  return all;
}

t.test('a host that nobody had: all at once, asked for or not', async (t) => {
  const client = await silentClient(caller);
  mesh.save('alone.yaml', toYaml(group('alone', 'alone.test')));
  t.same((await comes(client, 4)).map(shown), [
    'Cluster instances/alone.test:80',
    'ClusterLoadAssignment instances/alone.test:80',
    'ScopedRouteConfiguration outbound/alone.test',
    'RouteConfiguration outbound/alone.test',
  ]);
  client.close();
});

for (const [what, host, scope] of [
  ['that a pattern serves', 'own.wild.test', caller],
  ['that passes through', 'passed.test', { ...caller, unknownHosts: 'pass' } as NodeScope],
] as const)
  t.test(`a host ${what}: its table waits until its cluster is warm`, async (t) => {
    const client = await silentClient(scope);
    mesh.save(`${host}.yaml`, toYaml(group(host.replace('.', '-').replace('.', '-'), host)));
    const seen = await comes(client, 3);
    t.same(
      seen.map((one) => shown(one).split(' ')[0]),
      ['Cluster', 'ClusterLoadAssignment', 'ScopedRouteConfiguration'],
    );
    client.send('RTDS', { resource_names_subscribe: ['nothing'] });
    t.equal(shown(await client.next()), 'Runtime', 'nothing came before what was asked for later');
    for (const one of seen) client.ack(one);
    t.equal(shown(await client.next()), `RouteConfiguration outbound/${host}`);
    client.close();
  });

t.test('a real Envoy takes each of them once', async (t) => {
  const outbound = await freeAddress();
  const { admin } = await mesh.envoy('caller', { ...caller, outbound });
  mesh.save('real.yaml', toYaml(group('real', 'real.test')));
  const ask = () => get(outbound, '/', { host: 'real.test' });
  await until('it is served', async () => (await ask()).status === 200);
  const { body } = await get(admin, '/stats?filter=real.*update_success|real.*update_rejected');
  const counts = Object.fromEntries(
    body
      .trim()
      .split('\n')
      .map((line) => line.split(': ')),
  );
  t.match(counts, {
    'cluster.instances/real.test_80.update_success': '1',
    'http.outbound.rds.outbound/real.test.update_success': '1',
  });
});
