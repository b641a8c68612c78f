import t from 'tap';
import type { NodeScope } from '../../src/model/node.ts';
import type { HungGateway } from '../../src/plan/gateways.ts';
import type { Crossing, GroupPlan } from '../../src/plan/types.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import type { ScopeChange } from '../../src/translate/changes.ts';
import type { BuiltResource } from '../../src/translate/resources.ts';
import { idc } from '../index/fixture.ts';
import { egress, hung, idcs, ingress, nameOf, plansOf, sidecar, surroundings } from './fixture.ts';

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

/** The same with a cluster of its own at egress gateways, as of a Group with checks. */
function alone(plans: readonly GroupPlan[]): readonly GroupPlan[] {
  return plans.map((plan) => {
    const { away: _, ...crossing } = plan.crossing as Crossing;
    return { ...plan, crossing };
  });
}

t.test('a gateway that is left out changes endpoints, and of Groups that cross alone', async (t) => {
  const catalog = crowd(20);
  catalog.update(new Map([['far', alone(plansOf('far', 'shop', '10.0.0.1', 1))]]));
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
    const far = new Map([['far', alone(plansOf('far', 'shop', '10.0.0.1', 1))]]);
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
  catalog.update(new Map(['a', 'b', 'c'].map((host) => [host, alone(plansOf(host, 'shop', '10.0.0.1', 1))])));
  catalog.open('egress', egress);
  const upserts = (changes: ReadonlyMap<string, ScopeChange>) =>
    changes.get('egress')?.upserts.map(nameOf) ?? [];
  t.strictSame(upserts(catalog.updateContext(idcs, { ...surroundings, hungGateways: hung })), []);
  t.equal(catalog.stale, 3);
  t.strictSame(upserts(catalog.rebuildStale(1)), ['EDS/idcs/a:80']);
  t.equal(catalog.stale, 2);
  // One that is planned anew has the newest; one that is gone needs none.
  catalog.update(new Map([['b', alone(plansOf('b', 'shop', '10.0.0.2', 1))]]));
  t.equal(catalog.stale, 1);
  catalog.update(new Map([['c', []]]));
  t.strictSame([catalog.stale, upserts(catalog.rebuildStale(9))], [0, []]);
  // What is back before it was built is no change.
  catalog.update(new Map([['c', alone(plansOf('c', 'shop', '10.0.0.1', 1))]]));
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

t.test('Groups that cross alike share clusters, while there are any', async (t) => {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  catalog.open('egress', egress);
  const change = (update: Readonly<Record<string, readonly GroupPlan[]>>) => {
    const { upserts = [], removals = [] } =
      catalog.update(new Map(Object.entries(update))).get('egress') ?? {};
    const names = (list: readonly Pick<BuiltResource, 'kind' | 'name'>[]) =>
      list.map(nameOf).filter((name) => /onward|away/.test(name));
    return { upserts: names(upserts), removals: names(removals) };
  };
  const plans = (host: string, address = '10.0.0.1', hung: readonly string[] = []) =>
    plansOf(host, 'shop', address, 2, false, hung);
  const first = change({ a: plans('a') });
  const shared = first.upserts;
  const clusters = shared.filter((name) => name.startsWith('CDS'));
  t.match(clusters, [/^CDS\/away\/bj-c,sh-b\/[0-9a-f]{12}$/, /^CDS\/onward\/bj-c,sh-b\/[0-9a-f]{12}$/]);
  t.strictSame(
    shared,
    clusters.flatMap((name) => [name, name.replace('CDS', 'EDS')]),
  );
  t.strictSame(change({ b: plans('b') }), { upserts: [], removals: [] }, 'a second Group brings none');
  t.strictSame(change({ b: plans('b', '10.0.0.9') }), { upserts: [], removals: [] });
  t.strictSame(
    change({ a: plans('a', '10.0.0.1', ['bj-c']), b: plans('b', '10.0.0.9', ['bj-c']) }),
    { upserts: clusters.map((name) => name.replace('CDS', 'EDS')), removals: [] },
    'an IDC that hangs changes endpoints alone',
  );
  t.strictSame(change({ a: [] }), { upserts: [], removals: [] }, 'the other one still has it');
  t.strictSame(change({ b: [] }), { upserts: [], removals: shared });
});
