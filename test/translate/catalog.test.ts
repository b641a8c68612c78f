import fc from 'fast-check';
import t from 'tap';
import type { GroupView } from '../../src/index/view.ts';
import type { DrGroup } from '../../src/model/idc.ts';
import type { NodeScope } from '../../src/model/node.ts';
import type { HungGateway } from '../../src/plan/gateways.ts';
import { planGroup } from '../../src/plan/group.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import type { ScopeChange } from '../../src/translate/changes.ts';
import type { BuiltResource, ScopeContext } from '../../src/translate/resources.ts';
import { drGroup, idc, serviceEntry } from '../index/fixture.ts';

const idcs = new Map([
  ['sh-a', idc('sh-a')],
  ['sh-b', idc('sh-b')],
  ['bj-c', idc('bj-c', '10.9.0.3')],
]);
const at = (port: number) => ({ address: '127.0.0.1', port });

/** IDCs of a DR group, by the number of crossings that it allows. */
const members = { 1: ['sh-a', 'sh-b'], 2: ['sh-a', 'bj-c', 'sh-b'] } as const;

/**
 * The plans of a Group in `namespace`, with an instance at `address` and one in another zone; `hops`: how
 * often its requests may cross.
 */
function plansOf(
  host: string,
  namespace: string,
  address: string,
  hops: 0 | 1 | 2 = 0,
  zonePreference = false,
  hung: readonly string[] = [],
): readonly GroupPlan[] {
  const instance = {
    address,
    ports: { http: 8080 },
    labels: {},
    idc: 'sh-a',
    locality: 'sh-a/z1',
    weight: 1,
  };
  const group: GroupView = {
    host,
    entry: serviceEntry(`${namespace}/${host}`, [host]),
    instances: [instance, { ...instance, address: '10.0.0.3', locality: 'sh-a/z2' }],
    ...(hops > 0 && { drGroup: drGroupOf(host, hops as 1 | 2) }),
  };
  return planGroup(group, {
    localIdc: 'sh-a',
    idcs,
    hopLimit: 2,
    hung: new Set(hung),
    loopPrevention: 'on',
    checkIntervalMsMin: 1000,
  }).map((plan) => (zonePreference ? { ...plan, zonePreference } : plan));
}

function drGroupOf(host: string, hopLimit: 1 | 2): DrGroup {
  const made = drGroup('dr', [host], undefined, members[hopLimit]);
  return { ...made, spec: { ...made.spec, hopLimit } };
}

function sidecar(namespace: string, dependsOn?: readonly string[], zone?: string): NodeScope {
  const more = { ...(dependsOn && { dependsOn }), ...(zone && { zone }) };
  return { role: 'sidecar', idc: 'sh-a', namespace, outbound: at(15001), ...more };
}

const ingress: NodeScope = { role: 'ingress', idc: 'sh-a', edge: at(1), peer: at(2) };
const egress: NodeScope = { role: 'egress', idc: 'sh-a', sidecar: at(3), ingress: at(4) };
const scopes: Readonly<Record<string, NodeScope>> = {
  ingress,
  egress,
  silent: { role: 'sidecar', idc: 'sh-a', namespace: 'n0' },
  n0: sidecar('n0'),
  n1: sidecar('n1'),
  n0z1: sidecar('n0', undefined, 'z1'),
  n0z2: sidecar('n0', undefined, 'z2'),
  picks: sidecar('n0', ['h1', 'h2', 'nobody']),
  passes: { ...sidecar('n0'), unknownHosts: 'pass' } as NodeScope,
  nothing: sidecar('n1', []),
};

const nameOf = ({ kind, name }: Pick<BuiltResource, 'kind' | 'name'>) => `${kind}/${name}`;
const surroundings = { localIdc: idcs.get('sh-a'), filters: {} };

/** The gateways of both IDCs that others are sent to. */
const hung: readonly HungGateway[] = [
  { idc: 'sh-a', kind: 'egress', address: '10.9.0.1', port: 8002 },
  { idc: 'sh-b', kind: 'ingress', address: '10.9.0.1', port: 8001 },
];

t.test('changes bring each scope to the state that a new client would get', async () => {
  const group = fc.record({
    host: fc.constantFrom('h0', 'h1', 'h2', 'h3'),
    namespace: fc.constantFrom('n0', 'n1'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    hops: fc.constantFrom(0 as const, 1 as const, 2 as const),
    zonal: fc.boolean(),
    gone: fc.boolean(),
  });
  const step = fc.record({
    groups: fc.array(group, { maxLength: 3 }),
    opens: fc.subarray(Object.keys(scopes)),
    hungGateways: fc.option(fc.subarray([...hung]), { nil: undefined }),
    hungIdcs: fc.subarray(['bj-c']),
    rebuilt: fc.integer({ min: 0, max: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.constantFrom(0, 1, 250), (steps, rebuiltMax) => {
      const catalog = new Catalog({ rebuiltMax });
      catalog.updateContext(idcs, surroundings);
      const held = new Map<string, Map<string, string>>();
      const take = (key: string, { upserts, removals }: ScopeChange) => {
        const has = held.get(key) ?? new Map();
        held.set(key, has);
        for (const one of upserts) has.set(nameOf(one), JSON.stringify(one.message));
        for (const one of removals) has.delete(nameOf(one));
      };
      // Whatever hangs at a time, hangs for all Groups.
      const all = new Map<string, (hungIdcs: readonly string[]) => readonly GroupPlan[]>();
      const planned = (hosts: Iterable<string>, hungIdcs: readonly string[]) =>
        new Map([...hosts].map((host) => [host, all.get(host)?.(hungIdcs) ?? []]));
      let isHung: readonly string[] = [];
      let around: ScopeContext = surroundings;
      for (const { groups, opens, hungGateways, hungIdcs, rebuilt } of steps) {
        if (hungGateways !== undefined) {
          around = { ...surroundings, hungGateways };
          for (const [key, change] of catalog.updateContext(idcs, around)) take(key, change);
        }
        for (const key of opens) {
          held.delete(key);
          take(key, { upserts: catalog.open(key, scopes[key] as NodeScope), removals: [] });
        }
        for (const { host, namespace, address, hops, zonal, gone } of groups)
          all.set(host, (hung) => (gone ? [] : plansOf(host, namespace, address, hops, zonal, hung)));
        const isEveryOne = hungIdcs.join() !== isHung.join();
        isHung = hungIdcs;
        const hosts = isEveryOne ? all.keys() : groups.map(({ host }) => host);
        for (const [key, change] of catalog.update(planned(hosts, isHung))) take(key, change);
        for (const [key, change] of catalog.rebuildStale(rebuilt)) take(key, change);
      }
      while (catalog.stale > 0) for (const [key, change] of catalog.rebuildStale(1)) take(key, change);
      const fresh = new Catalog();
      fresh.updateContext(idcs, around);
      fresh.update(planned(all.keys(), isHung));
      for (const [key, has] of held) {
        const now = fresh.open(key, scopes[key] as NodeScope);
        const expected = new Map(now.map((one) => [nameOf(one), JSON.stringify(one.message)]));
        const sorted = (map: Map<string, string>) => [...map].sort();
        if (JSON.stringify(sorted(has)) !== JSON.stringify(sorted(expected)))
          throw new Error(`${key}: ${[...has.keys()]} instead of ${[...expected.keys()]}`);
      }
    }),
    { numRuns: 300 },
  );
});

/** A catalog of `groups` Groups in one namespace, and as many sidecars that depend on two of them each. */
function crowd(groups: number) {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  const hosts = Array.from({ length: groups }, (_, i) => `h${i}`);
  catalog.update(new Map(hosts.map((host) => [host, plansOf(host, 'shop', '10.0.0.1')])));
  for (const [i, host] of hosts.entries())
    catalog.open(`sidecar ${i}`, sidecar('shop', [host, `h${(i + 1) % groups}`]));
  catalog.open('ingress', ingress);
  catalog.open('egress', egress);
  return catalog;
}

/** What an update costs, and what it changes. */
function cost(catalog: Catalog, host: string, plans: readonly GroupPlan[]) {
  const before = catalog.work();
  const changes = catalog.update(new Map([[host, plans]]));
  const after = catalog.work();
  return {
    groupsBuilt: after.groupsBuilt - before.groupsBuilt,
    routesBuilt: after.routesBuilt - before.routesBuilt,
    scopesVisited: after.scopesVisited - before.scopesVisited,
    changed: [...changes].map(([key, { upserts }]) => `${key}: ${upserts.map(nameOf)}`).sort(),
  };
}

t.test('the cost of a change depends on the change only', async (t) => {
  const [small, large] = [crowd(10), crowd(500)];
  const edited = plansOf('h5', 'shop', '10.0.0.9');
  const costs = cost(large, 'h5', edited);
  t.same(costs, cost(small, 'h5', edited));
  t.same(costs, {
    groupsBuilt: 1,
    routesBuilt: 0,
    scopesVisited: 4,
    changed: [
      'ingress: EDS/instances/h5:80',
      'sidecar 4: EDS/instances/h5:80',
      'sidecar 5: EDS/instances/h5:80',
    ],
  });
  t.same(cost(large, 'h5', edited).changed, [], 'the same again changes nothing');
  const gone = cost(large, 'h5', []);
  t.equal(gone.scopesVisited, 4);
  t.equal(gone.routesBuilt, 0, 'tables of other hosts are as they were');
  const back = cost(large, 'h5', edited);
  const own = /RDS\/outbound\/h5,SRDS\/outbound\/h5$/;
  t.match(back.changed, [/^ingress/, own, own]);
  t.equal(back.changed.length, 3);
});

t.test('one table of all hosts is built while it is asked for', async (t) => {
  const catalog = crowd(10);
  const key = 'sidecar 4';
  const whole = (changes: ReadonlyMap<string, ScopeChange>) => changes.get(key)?.upserts.map(nameOf);
  t.strictSame(whole(catalog.serveWhole(key, ['outbound'])), ['RDS/outbound']);
  catalog.serveWhole('later', ['outbound']);
  const later = () => catalog.open('later', sidecar('shop')).map(nameOf).includes('RDS/outbound');
  t.ok(later(), 'asked for before its scope is open');
  catalog.close('later');
  t.notOk(later(), 'closed since');
  t.notOk(
    cost(catalog, 'h5', plansOf('h5', 'shop', '10.0.0.9'))
      .changed.join()
      .includes('RDS'),
  );
  const gone = catalog.update(new Map([['h5', []]]));
  t.ok(whole(gone)?.includes('RDS/outbound'), 'a Group that goes leaves it');
  t.notOk(
    gone.get('sidecar 5')?.upserts.some(({ kind }) => kind === 'RDS'),
    'nobody else has one',
  );
  t.strictSame(catalog.serveWhole(key, []).get(key)?.removals, [{ kind: 'RDS', name: 'outbound' }]);
});

t.test('where unknown hosts pass, a host that comes or goes changes what is known', async (t) => {
  const catalog = crowd(10);
  catalog.open('passes', { ...sidecar('other'), unknownHosts: 'pass' } as NodeScope);
  t.equal(cost(catalog, 'h5', plansOf('h5', 'shop', '10.0.0.9')).routesBuilt, 0, 'not one that stays');
  const come = cost(catalog, 'h99', plansOf('h99', 'shop', '10.0.0.1'));
  t.ok(come.changed.includes('passes: SRDS/outbound/h99'), `${come.changed}`);
  const gone = catalog.update(new Map([['h99', []]])).get('passes');
  t.strictSame(gone, { upserts: [], removals: [{ kind: 'SRDS', name: 'outbound/h99' }] });
  const routes = catalog
    .updateContext(new Map([['sh-c', idc('sh-c', '10.9.0.9')]]), surroundings)
    .get('passes');
  t.strictSame(
    routes?.upserts.map(nameOf),
    ['RDS/outbound/*'],
    'and gateways elsewhere change what is refused',
  );
});

t.test('changes of gateways rebuild no routes', async (t) => {
  const catalog = crowd(20);
  const before = catalog.work();
  t.equal(catalog.updateContext(idcs, surroundings).size, 0);
  t.equal(catalog.work().routesBuilt, before.routesBuilt);
});

t.test('a gateway that is left out changes endpoints, and of Groups that cross alone', async (t) => {
  const catalog = crowd(20);
  catalog.update(new Map([['far', plansOf('far', 'shop', '10.0.0.1', 1)]]));
  const before = catalog.work();
  const of = (hungGateways: readonly HungGateway[]) =>
    Object.fromEntries(
      [...catalog.updateContext(idcs, { ...surroundings, hungGateways })].map(
        ([key, { upserts, removals }]) => {
          t.strictSame(removals, []);
          return [key, upserts.map(nameOf)];
        },
      ),
    );
  const callers = Array.from({ length: 20 }, (_, i) => [`sidecar ${i}`, ['EDS/egress']]);
  t.strictSame(of(hung), {
    ...Object.fromEntries(callers),
    ingress: ['EDS/egress'],
    egress: ['EDS/idcs/far:80'],
  });
  t.strictSame(of(hung.slice(0, 1)), { egress: ['EDS/idcs/far:80'] });
  t.strictSame(of([]), { ...Object.fromEntries(callers), ingress: ['EDS/egress'] });
  const { groupsBuilt, routesBuilt } = catalog.work();
  t.strictSame([groupsBuilt, routesBuilt], [before.groupsBuilt, before.routesBuilt]);
});

t.test(
  'a gateway elsewhere that moves is in the endpoints of Groups whose plans stay as they are',
  async (t) => {
    const catalog = crowd(3);
    const far = new Map([['far', plansOf('far', 'shop', '10.0.0.1', 1)]]);
    catalog.update(far);
    const moved = new Map([...idcs, ['sh-b', idc('sh-b', '10.9.0.9')] as const]);
    catalog.updateContext(moved, { ...surroundings, localIdc: moved.get('sh-a') });
    const changes = catalog.update(far);
    t.strictSame(
      [...changes].map(([key, { upserts }]) => [key, upserts.map(nameOf)]),
      [['egress', ['EDS/idcs/far:80']]],
    );
    t.match(JSON.stringify(changes.get('egress')), '10.9.0.9');
  },
);

t.test('what is kept of a resource is what it was packed to, and equal ones are no change', async (t) => {
  let packs = 0;
  const pack = (built: BuiltResource, isShared: boolean): BuiltResource => {
    packs += 1;
    const { kind, name, message } = built;
    return {
      kind,
      name,
      message: { '@type': isShared ? 'shared' : 'own', text: JSON.stringify(message) } as never,
    };
  };
  const catalog = new Catalog({ pack });
  catalog.updateContext(idcs, surroundings);
  catalog.update(new Map([['h0', plansOf('h0', 'shop', '10.0.0.1')]]));
  const opened = catalog.open('one', sidecar('shop', ['h0']));
  t.strictSame(
    opened.map(({ name, message }) => [name, (message as { '@type': string })['@type']]),
    [
      ...['egress', 'egress', 'outbound', 'outbound/*', 'outbound/*'].map((name) => [name, 'shared']),
      ...['instances/h0:80', 'instances/h0:80', 'outbound/h0', 'outbound/h0'].map((name) => [name, 'own']),
    ],
  );
  packs = 0;
  const moved = cost(catalog, 'h0', plansOf('h0', 'shop', '10.0.0.2'));
  t.strictSame([moved.changed, packs], [['one: EDS/instances/h0:80'], 1], 'only what changes is packed');
  t.strictSame(cost(catalog, 'h0', plansOf('h0', 'shop', '10.0.0.2')).changed, []);
});

t.test('a large scope is opened Group by Group, with what changes meanwhile', async (t) => {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  const hosts = ['h0', 'h1', 'h2'];
  catalog.update(new Map(hosts.map((host) => [host, plansOf(host, 'shop', '10.0.0.1')])));
  const parts = catalog.openInParts('one', sidecar('shop'))[Symbol.iterator]();
  const has = new Map<string, string>();
  const take = (list: readonly BuiltResource[]) => {
    for (const one of list) has.set(nameOf(one), JSON.stringify(one.message));
  };
  take(parts.next().value ?? []);
  take(parts.next().value ?? []);
  t.equal(catalog.work().groupsBuilt, 1, 'of three Groups one so far');
  for (const [host, plans] of [
    ['h0', plansOf('h0', 'shop', '10.0.0.9')],
    ['h1', []],
    ['h2', plansOf('h2', 'shop', '10.0.0.9')],
  ] as const)
    for (const { upserts, removals } of catalog.update(new Map([[host, plans]])).values()) {
      take(upserts);
      for (const one of removals) has.delete(nameOf(one));
    }
  for (let next = parts.next(); next.done !== true; next = parts.next()) take(next.value);
  const fresh = catalog.open('two', sidecar('shop'));
  t.strictSame(
    [...has].sort(),
    fresh.map((one) => [nameOf(one), JSON.stringify(one.message)] as [string, string]).sort(),
  );
});

t.test('of many Groups the endpoints are built a few at a time', async (t) => {
  const catalog = new Catalog({ rebuiltMax: 2 });
  catalog.updateContext(idcs, surroundings);
  catalog.update(new Map(['a', 'b', 'c'].map((host) => [host, plansOf(host, 'shop', '10.0.0.1', 1)])));
  catalog.open('egress', egress);
  const upserts = (changes: ReadonlyMap<string, ScopeChange>) =>
    changes.get('egress')?.upserts.map(nameOf) ?? [];
  t.strictSame(upserts(catalog.updateContext(idcs, { ...surroundings, hungGateways: hung })), []);
  t.equal(catalog.stale, 3);
  t.strictSame(upserts(catalog.rebuildStale(1)), ['EDS/idcs/a:80']);
  t.equal(catalog.stale, 2);
  // One that is planned anew has the newest; one that is gone needs none.
  catalog.update(new Map([['b', plansOf('b', 'shop', '10.0.0.2', 1)]]));
  t.equal(catalog.stale, 1);
  catalog.update(new Map([['c', []]]));
  t.strictSame([catalog.stale, upserts(catalog.rebuildStale(9))], [0, []]);
  // What is back before it was built is no change.
  catalog.update(new Map([['c', plansOf('c', 'shop', '10.0.0.1', 1)]]));
  catalog.updateContext(idcs, { ...surroundings, hungGateways: [] });
  t.equal(catalog.stale, 3);
  catalog.updateContext(idcs, { ...surroundings, hungGateways: hung });
  t.strictSame(upserts(catalog.rebuildStale(9)), []);
});

t.test('resources that no scope sees are not built', async (t) => {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  for (const address of ['10.0.0.1', '10.0.0.2'])
    catalog.update(new Map(['h0', 'h1'].map((host) => [host, plansOf(host, 'shop', address)])));
  t.equal(catalog.work().groupsBuilt, 0);
  catalog.open('one', sidecar('shop', ['h1']));
  t.equal(catalog.work().groupsBuilt, 1);
  catalog.open('two', { ...sidecar('shop', ['h1']), accessLog: 'x' });
  t.equal(catalog.work().groupsBuilt, 1, 'and what two see is built once');
});

t.test('where a zone is preferred only its endpoints are built for it', async (t) => {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  const zones = ['z1', 'z2'].map((zone) => sidecar('shop', undefined, zone));
  const open = () => zones.map((scope, i) => catalog.open(String(i), scope));
  const differing = () => {
    const [first = [], second = []] = open();
    const shared = new Set(second);
    return first.filter((one) => one.name.includes('h0') && !shared.has(one)).map(nameOf);
  };
  const plain = plansOf('h0', 'shop', '10.0.0.1', 1);
  catalog.update(new Map([['h0', plain]]));
  t.strictSame(differing(), []);
  t.equal(catalog.work().groupsBuilt, 1, 'without the setting once for all');
  const { changed } = cost(catalog, 'h0', plansOf('h0', 'shop', '10.0.0.1', 1, true));
  t.strictSame(changed, ['0: EDS/instances/h0:80', '1: EDS/instances/h0:80']);
  t.strictSame(differing(), ['EDS/instances/h0:80']);
  t.strictSame(cost(catalog, 'h0', plain).changed, changed, 'and taken back');
  t.strictSame(differing(), []);
});

t.test('Groups that cross alike share a cluster for what is handed on, while there are any', async (t) => {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  catalog.open('egress', egress);
  const change = (update: Readonly<Record<string, readonly GroupPlan[]>>) => {
    const { upserts = [], removals = [] } =
      catalog.update(new Map(Object.entries(update))).get('egress') ?? {};
    const names = (list: readonly Pick<BuiltResource, 'kind' | 'name'>[]) =>
      list.map(nameOf).filter((name) => /onward|RDS/.test(name));
    return { upserts: names(upserts), removals: names(removals) };
  };
  const plans = (host: string, address = '10.0.0.1', hung: readonly string[] = []) =>
    plansOf(host, 'shop', address, 2, false, hung);
  const routes = ['RDS/sidecar', 'RDS/ingress'];
  const first = change({ a: plans('a') });
  const [cluster = '', endpoints = ''] = first.upserts.filter((name) => name.includes('onward'));
  t.match(cluster, /^CDS\/onward\/bj-c,sh-b\/[0-9a-f]{12}$/);
  t.equal(endpoints, cluster.replace('CDS', 'EDS'));
  t.strictSame(change({ b: plans('b') }), { upserts: routes, removals: [] }, 'a second Group brings none');
  t.strictSame(change({ b: plans('b', '10.0.0.9') }), { upserts: [], removals: [] });
  t.strictSame(
    change({ a: plans('a', '10.0.0.1', ['bj-c']), b: plans('b', '10.0.0.9', ['bj-c']) }),
    { upserts: [endpoints], removals: [] },
    'an IDC that hangs changes endpoints, and no routes',
  );
  t.strictSame(change({ a: [] }), { upserts: routes, removals: [] }, 'the other one still has it');
  t.strictSame(change({ b: [] }), { upserts: routes, removals: [cluster, endpoints] });
});
