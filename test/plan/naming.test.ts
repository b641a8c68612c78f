import t from 'tap';
import type { Instance } from '../../src/index/view.ts';
import type { ServiceEntry, TrafficPolicy, WorkloadSpec } from '../../src/model/service.ts';
import { planGroup } from '../../src/plan/group.ts';
import { planTcpListeners } from '../../src/plan/tcp.ts';

const at = (address: string, locality = ''): Instance => ({
  address,
  ports: {},
  labels: {},
  idc: locality.split('/', 1)[0] || 'sh-a',
  locality,
  weight: 1,
});

/** The plan of one HTTP port in sh-a; `endpoints` as the index made them of the entry. */
function plan(
  spec: Partial<ServiceEntry['spec']>,
  instances: readonly Instance[] = [],
  host = 'api.example',
  policy?: TrafficPolicy,
) {
  const meta = { name: 'api', namespace: 'shop', labels: {}, annotations: {}, origin: 'test' };
  const entry: ServiceEntry = {
    kind: 'ServiceEntry',
    meta,
    spec: {
      hosts: [host],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
      resolution: 'DNS',
      location: 'MESH_EXTERNAL',
      endpoints: instances.map((one): WorkloadSpec => ({ ...one })),
      ...spec,
    },
  };
  const context = {
    localIdc: 'sh-a',
    idcs: new Map(),
    hopLimit: 1,
    loopPrevention: 'on',
    checkIntervalMsMin: 0,
  } as const;
  const rule = policy && {
    kind: 'DestinationRule' as const,
    meta,
    spec: { host, policy, portPolicies: {} },
  };
  return planGroup({ host, entry, instances, ...(rule && { rule }) }, context)[0];
}

const addresses = (planned: ReturnType<typeof plan>) =>
  planned?.instances.map(({ name, priority = 0, endpoints }) => [
    name,
    priority,
    ...endpoints.map(({ address, port }) => `${address}:${port}`),
  ]);

t.test('a host without endpoints is its own name, and has the target port', async (t) => {
  for (const location of ['MESH_EXTERNAL', 'MESH_INTERNAL'] as const)
    t.strictSame(addresses(plan({ location })), [['', 0, 'api.example:8080']]);
  t.strictSame(addresses(plan({}, [], '*.example')), [], 'a pattern is no name');
  t.strictSame(addresses(plan({ workloadSelector: { app: 'api' } })), [], 'nobody is selected yet');
});

t.test('external: all localities, the own first; internal: the own alone', async (t) => {
  const all = [at('far.example', 'eu/1'), at('near.example', 'sh-a/1'), at('any.example')];
  t.strictSame(addresses(plan({}, all)), [
    ['', 0, 'any.example:8080'],
    ['sh-a/1', 0, 'near.example:8080'],
    ['eu/1', 1, 'far.example:8080'],
  ]);
  t.strictSame(
    addresses(plan({}, all.slice(0, 1))),
    [['eu/1', 0, 'far.example:8080']],
    'priorities begin at 0',
  );
  t.strictSame(addresses(plan({ location: 'MESH_INTERNAL' }, all)), [
    ['', 0, 'any.example:8080'],
    ['sh-a/1', 0, 'near.example:8080'],
  ]);
});

t.test('Envoy takes one endpoint for a round robin, no more and no less', async (t) => {
  const round = (...instances: Instance[]) =>
    plan({ resolution: 'DNS_ROUND_ROBIN', location: 'MESH_INTERNAL' }, instances)?.lookup;
  t.equal(round(), 'one');
  t.equal(round(at('a.example')), 'one');
  t.equal(round(at('a.example', 'sh-b')), 'every', 'none here');
  t.equal(round(at('a.example'), at('b.example')), 'every');
  t.equal(plan({})?.lookup, 'every');
});

t.test('what cannot be looked up is left out', async (t) => {
  t.strictSame(addresses(plan({}, [at('unix:///x'), at(''), at('10.0.0.1'), at('a.example')])), [
    ['', 0, '10.0.0.1:8080', 'a.example:8080'],
  ]);
  t.strictSame(addresses(plan({ resolution: 'STATIC' }, [at('a.example'), at('10.0.0.1')])), [
    ['', 0, '10.0.0.1:8080'],
  ]);
});

t.test('external hosts are not reached through gateways', async (t) => {
  const ways = (location: 'MESH_EXTERNAL' | 'MESH_INTERNAL') => {
    const paths = plan({ location })?.paths;
    return [paths?.outbound, paths?.edge, paths?.peer].map((path) => path?.priorities.length);
  };
  t.strictSame(ways('MESH_EXTERNAL'), [1, 0, 0]);
  t.strictSame(ways('MESH_INTERNAL'), [1, 1, 1]);
});

const byName = ['NONE', 'DYNAMIC_DNS'] as const;

t.test('for hosts that callers resolve only the name is used', async (t) => {
  for (const resolution of byName) {
    const planned = plan({ resolution });
    t.match(planned, { lookup: 'every', byConnect: undefined });
    t.strictSame(addresses(planned), [['', 0, 'api.example:8080']]);
    t.equal(plan({ resolution, workloadSelector: { app: 'api' } }), undefined, 'nobody is selected');
  }
});

t.test('a pattern of hosts is looked up by request, at the sidecar alone', async (t) => {
  for (const resolution of byName) {
    const planned = plan({ resolution }, [], '*.example');
    t.match(planned, { lookup: 'request', instances: [] });
    t.notOk(planned?.crossing ?? planned?.health);
    t.same(planned?.paths.edge.priorities, []);
    t.same(planned?.paths.peer.priorities, []);
    t.equal(planned?.paths.outbound.priorities.length, 1);
  }
});

t.test('there is no listener for its TCP ports; CONNECT reaches them', async (t) => {
  for (const protocol of ['TCP', 'TLS', 'HTTPS', 'MONGO'] as const)
    for (const host of ['api.example', '*.example']) {
      const ports = [{ number: 443, name: 'tls', protocol }];
      const planned = plan({ resolution: 'NONE', ports, addresses: ['10.9.9.9'] }, [], host);
      t.match(planned, { byConnect: true, addresses: [] }, `${protocol} ${host}`);
      t.same(planTcpListeners({ address: '127.0.0.1', port: 1 }, planned ? [planned] : []), []);
    }
});

t.test('TLS to hosts that requests name is refused, not sent in plain text', async (t) => {
  const tls = { mode: 'SIMPLE' } as const;
  t.same(plan({ resolution: 'NONE' }, [], '*.example', { tls })?.paths.outbound.priorities, []);
  t.equal(plan({ resolution: 'NONE' }, [], 'api.example', { tls })?.paths.outbound.priorities.length, 1);
});
