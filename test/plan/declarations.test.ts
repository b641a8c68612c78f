import t from 'tap';
import { createIndex } from '../../src/index/store.ts';
import type { MeshObject } from '../../src/model/object.ts';
import type { ServicePort } from '../../src/model/service.ts';
import { planHost } from '../../src/plan/declarations.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { drGroup, idc, serviceEntry, upserts, workloadEntry } from '../index/fixture.ts';

const http = (number: number, more: Partial<ServicePort> = {}): ServicePort => ({
  number,
  name: `http-${number}`,
  protocol: 'HTTP',
  ...more,
});
const at = (...addresses: string[]) =>
  addresses.map((address) => ({ address, ports: {}, labels: {}, locality: 'sh-a/z1' }));

function plans(...objects: MeshObject[]): readonly GroupPlan[] {
  const index = createIndex({ idc: 'sh-a' });
  index.apply(upserts(idc('sh-a'), idc('sh-b', '10.9.0.2'), ...objects));
  const { groups, idcs } = index.view();
  const view = groups.get('s.shop');
  if (view === undefined) return [];
  const context = { localIdc: 'sh-a', hopLimit: 1, loopPrevention: 'on', checkIntervalMsMin: 0 } as const;
  return [view, ...(view.others ?? [])].flatMap((one) => planHost(one, { ...context, idcs }));
}

/** `PORT protocol: ADDRESS:PORT …`, the default port with a star. */
const shown = (list: readonly GroupPlan[]) =>
  list.map(({ group, protocol, isDefaultPort, instances }) => {
    const endpoints = instances.flatMap((one) =>
      one.endpoints.map(({ address, port }) => `${address}:${port}`),
    );
    return `${group.port}${isDefaultPort ? '*' : ''} ${protocol}: ${endpoints.join(' ')}`;
  });

t.test('ports of two ServiceEntries add up, each with its own instances', async (t) => {
  const a = serviceEntry('shop/a', ['s.shop'], { ports: [http(8080)], endpoints: at('10.0.0.1') });
  const b = serviceEntry('shop/b', ['s.shop'], {
    ports: [http(9090), http(3306, { protocol: 'TCP', targetPort: 33 })],
    endpoints: at('10.0.0.2'),
  });
  const all = ['8080* http1: 10.0.0.1:8080', '9090 http1: 10.0.0.2:9090', '3306 tcp: 10.0.0.2:33'];
  t.strictSame(shown(plans(a, b)), all);
  t.strictSame(shown(plans(b, a)), all, 'in whatever order they come');
  t.strictSame(shown(plans(a)), all.slice(0, 1), 'one alone');
});

t.test('each port keeps the resolution and the annotations of its ServiceEntry', async (t) => {
  const a = serviceEntry('shop/a', ['s.shop'], { ports: [http(80)], endpoints: at('10.0.0.1') });
  const plain = serviceEntry('shop/b', ['s.shop'], {
    ports: [http(443)],
    resolution: 'DNS',
    location: 'MESH_EXTERNAL',
  });
  const b = { ...plain, meta: { ...plain.meta, annotations: { 'isthmus.dev/timeout': '7s' } } };
  const found = plans(a, b);
  t.strictSame(shown(found), ['80* http1: 10.0.0.1:80', '443 http1: s.shop:443']);
  t.strictSame(
    found.map(({ lookup }) => lookup),
    [undefined, 'every'],
  );
  t.strictSame(
    found.map(({ paths }) => paths.outbound.retry.timeoutMs),
    [0, 7000],
  );
});

t.test('one port in both: the instances of both, each at the port that its ServiceEntry says', async (t) => {
  const a = serviceEntry('shop/a', ['s.shop'], {
    ports: [http(80, { targetPort: 8080 })],
    endpoints: at('10.0.0.1', '10.0.0.3'),
  });
  const b = serviceEntry('shop/b', ['s.shop'], {
    ports: [http(80, { name: 'web' })],
    endpoints: [
      ...at('10.0.0.2'),
      { address: '10.0.0.4', ports: { web: 7 }, labels: {}, locality: 'sh-a/z1' },
    ],
  });
  t.strictSame(shown(plans(a, b)), ['80* http1: 10.0.0.1:8080 10.0.0.3:8080 10.0.0.2:80 10.0.0.4:7']);
  const looked = { resolution: 'DNS', ports: [http(80)] } as const;
  const twice = plans(
    serviceEntry('shop/a', ['s.shop'], looked),
    serviceEntry('shop/b', ['s.shop'], { ...looked, endpoints: at('b.example') }),
    serviceEntry('shop/c', ['s.shop'], looked),
  );
  t.strictSame(shown(twice), ['80* http1: s.shop:80 b.example:80'], 'the host itself, once');
});

t.test('an instance that both select is one', async (t) => {
  const selecting = (name: string, label: string) =>
    serviceEntry(name, ['s.shop'], { ports: [http(80)], workloadSelector: { [label]: '1' } });
  const worker = workloadEntry('shop/w', { a: '1', b: '1' }, { locality: 'sh-a/z1', ports: {} });
  t.strictSame(shown(plans(selecting('shop/a', 'a'), selecting('shop/b', 'b'), worker)), [
    '80* http1: 10.0.0.1:80',
  ]);
});

t.test('a port that contradicts the first is left out, and not served otherwise', async (t) => {
  const a = serviceEntry('shop/a', ['s.shop'], {
    ports: [http(80), http(90, { protocol: 'TCP' })],
    endpoints: at('10.0.0.1'),
  });
  const b = serviceEntry('shop/b', ['s.shop'], {
    ports: [http(90), http(80, { protocol: 'GRPC' }), http(70)],
    endpoints: at('10.0.0.2'),
  });
  const found = plans(a, b);
  t.strictSame(shown(found), ['80* http1: 10.0.0.1:80', '90 tcp: 10.0.0.1:90', '70 http1: 10.0.0.2:70']);
  t.strictSame(
    found.map(({ closedPorts }) => closedPorts),
    [[90], undefined, undefined],
  );
  const alike = serviceEntry('shop/c', ['s.shop'], {
    ports: [http(90, { protocol: 'MONGO' })],
    endpoints: at('10.0.0.3'),
  });
  t.strictSame(
    shown(plans(a, alike)),
    ['80* http1: 10.0.0.1:80', '90 tcp: 10.0.0.1:90 10.0.0.3:90'],
    'carried alike',
  );
  const c = serviceEntry('shop/c', ['s.shop'], { ports: [http(80)], resolution: 'DNS' });
  t.strictSame(shown(plans(a, c)), ['80* http1: 10.0.0.1:80', '90 tcp: 10.0.0.1:90']);
});

t.test('a port that cannot be served is not served otherwise', async (t) => {
  const a = serviceEntry('shop/a', ['s.shop'], { ports: [http(80)], endpoints: at('10.0.0.1') });
  const b = serviceEntry('shop/b', ['s.shop'], {
    ports: [http(90), http(91)],
    resolution: 'NONE',
    workloadSelector: { app: 'x' },
  });
  const [only, ...others] = plans(a, b);
  t.strictSame([only?.group.port, only?.closedPorts, others.length], [80, [90, 91], 0]);
});

t.test('the older comes first, then the first by name', async (t) => {
  const entry = (name: string, port: number, createdMs?: number) => {
    const plain = serviceEntry(`shop/${name}`, ['s.shop'], { ports: [http(port)] });
    return createdMs === undefined ? plain : { ...plain, meta: { ...plain.meta, createdMs } };
  };
  const first = (...entries: MeshObject[]) =>
    plans(...entries).find((plan) => plan.isDefaultPort)?.group.port;
  t.equal(first(entry('b', 2), entry('a', 1)), 1);
  t.equal(first(entry('b', 2, 1000), entry('a', 1, 2000)), 2);
  t.equal(first(entry('b', 2, 1000), entry('a', 1)), 2, 'one that does not say when is younger');
});

t.test('callers who may see one of two get that one; those of both, and gateways, get all', async (t) => {
  const a = serviceEntry('shop/a', ['s.shop'], { ports: [http(80)] });
  const b = serviceEntry('shop/b', ['s.shop'], { ports: [http(90)], exportTo: ['shop'] });
  const found = plans(a, b, drGroup('g', ['s.shop']));
  t.strictSame(
    found.map(({ group, seenBy, crossing }) => [
      group.port,
      seenBy?.all,
      seenBy?.exceptNamespaces,
      crossing !== undefined,
    ]),
    [
      [80, false, ['shop'], true],
      [90, false, ['shop'], true],
      [80, true, ['shop'], true],
    ],
  );
  t.strictSame(
    found.map(({ paths }) => paths.edge.priorities.length > 0),
    [true, false, true],
    'at the edge only what all may see',
  );
});

t.test('a DR group that selects one of two is for its ports', async (t) => {
  const a = serviceEntry('shop/a', ['s.shop'], { ports: [http(80)] });
  const b = serviceEntry('shop/b', ['s.shop'], { ports: [http(90)] }, { tier: '1' });
  const found = plans(a, b, drGroup('g', [], { tier: '1' }));
  t.strictSame(
    found.map(({ crossing }) => crossing !== undefined),
    [false, true],
  );
});
