import t from 'tap';
import type { RouteConfiguration } from '../../protos/gen/envoy.d.ts';
import type { Crossing, GroupPlan } from '../../src/plan/types.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import { sharedPlaceOf } from '../../src/translate/route/tables.ts';
import { egress, idcs, nameOf, plansOf, surroundings } from './fixture.ts';

// Egress gateways have a table for many hosts: which host is where, and what a change sends.

const all = (host: string, hops: 1 | 2 = 1) => plansOf(host, 'shop', '10.0.0.1', hops);
const at = (place: string) => ['sidecar', 'ingress'].map((listener) => `${listener}/${place}`);

/** The same with a cluster of its own, as of a Group with checks. */
function alone(plans: readonly GroupPlan[]): readonly GroupPlan[] {
  return plans.map((plan) => {
    const { away: _, ...crossing } = plan.crossing as Crossing;
    return { ...plan, crossing };
  });
}

function setup(first: readonly (readonly [string, readonly GroupPlan[]])[] = []) {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  catalog.update(new Map(first));
  const has = new Map(catalog.open('egress', egress).map((one) => [nameOf(one), one]));
  const change = (host: string, plans: readonly GroupPlan[]) => {
    const { upserts = [], removals = [] } = catalog.update(new Map([[host, plans]])).get('egress') ?? {};
    for (const one of upserts) has.set(nameOf(one), one);
    for (const one of removals) has.delete(nameOf(one));
    return [...upserts.map(nameOf), ...removals.map((one) => `-${nameOf(one)}`)].filter((name) =>
      /RDS/.test(name),
    );
  };
  const hostsIn = (name: string) =>
    (has.get(`RDS/${name}`)?.message as RouteConfiguration | undefined)?.virtual_hosts?.map(
      ({ domains }) => domains,
    );
  const tableOf = (host: string) =>
    (has.get(`SRDS/sidecar/${host}`)?.message as { route_configuration_name: string } | undefined)
      ?.route_configuration_name;
  const fresh = () => catalog.open('another', egress);
  return { change, hostsIn, tableOf, has, fresh };
}

/** Hosts that share a table with the first of them. */
const alike = Array.from({ length: 1_000 }, (_, i) => `h${i}.shop`)
  .filter((host) => sharedPlaceOf(host) === sharedPlaceOf('h0.shop'))
  .slice(0, 3) as [string, string, string];
const place = sharedPlaceOf('h0.shop');

t.test('hosts with equal routes have them once, and each has a scope', async (t) => {
  const { change, hostsIn, tableOf, has, fresh } = setup(alike.map((host) => [host, all(host)]));
  t.strictSame(hostsIn(`sidecar/${place}`), [alike.toSorted()]);
  for (const host of alike) t.equal(tableOf(host), `sidecar/${place}`);
  t.strictSame(change(alike[1], all(alike[1])), [], 'nothing new');
  t.strictSame(
    change(alike[1], all(alike[1], 2)),
    at(place).map((name) => `RDS/${name}`),
    'what becomes of it is in the same table',
  );
  t.strictSame(hostsIn(`sidecar/${place}`)?.flat().sort(), alike.toSorted());
  t.equal(hostsIn(`sidecar/${place}`)?.length, 2);
  t.strictSame(
    change(alike[1], []),
    [...at(place).map((name) => `RDS/${name}`), ...at(alike[1]).map((name) => `-SRDS/${name}`)],
    'and when it goes',
  );
  t.strictSame(hostsIn(`ingress/${place}`), [[alike[0], alike[2]].sort()]);
  change(alike[0], []);
  t.strictSame(
    change(alike[2], []),
    [...at(alike[2]).map((name) => `-SRDS/${name}`), ...at(place).map((name) => `-RDS/${name}`)],
    'the last one takes the table with it',
  );
  t.strictSame([...has.values()].map(nameOf).sort(), fresh().map(nameOf).sort(), 'as whoever connects now');
});

t.test('a host does not change its table while it is there', async (t) => {
  const { change, tableOf, hostsIn } = setup([
    [alike[0], all(alike[0])],
    [alike[1], alone(all(alike[1]))],
  ]);
  t.equal(tableOf(alike[0]), `sidecar/${place}`);
  t.equal(tableOf(alike[1]), `sidecar/${alike[1]}`, 'it has a cluster of its own');
  const noScopes = (names: readonly string[]) => names.every((name) => !name.includes('SRDS'));
  t.ok(noScopes(change(alike[0], alone(all(alike[0])))), 'it gets checks');
  t.equal(tableOf(alike[0]), `sidecar/${place}`);
  t.ok(noScopes(change(alike[1], all(alike[1]))), 'it has no checks any more');
  t.equal(tableOf(alike[1]), `sidecar/${alike[1]}`);
  t.strictSame(hostsIn(`sidecar/${alike[1]}`), [[alike[1]]]);
  change(alike[1], []);
  change(alike[1], all(alike[1]));
  t.equal(tableOf(alike[1]), `sidecar/${place}`, 'once it was gone, it may');
  t.strictSame(hostsIn(`sidecar/${place}`)?.flat().sort(), [alike[0], alike[1]].sort());
});

t.test('patterns of hosts, and Groups that do not leave, are in none', async (t) => {
  const { change, tableOf } = setup([['*.shop', all('*.shop')]]);
  t.equal(tableOf('*.shop'), undefined);
  t.strictSame(change(alike[0], plansOf(alike[0], 'shop', '10.0.0.1')), []);
  t.equal(change(alike[0], all(alike[0])).length, 4, 'scopes and tables, once it does');
  t.equal(
    change(alike[0], plansOf(alike[0], 'shop', '10.0.0.1')).filter((name) => name.startsWith('-')).length,
    4,
  );
});

t.test('what changed while no egress gateway was there is there for the next one', async (t) => {
  const catalog = new Catalog();
  catalog.updateContext(idcs, surroundings);
  const [first, second, third] = alike;
  catalog.update(new Map([first, second].map((host) => [host, all(host)])));
  const tablesOf = (key: string) =>
    catalog
      .open(key, egress)
      .filter((one) => nameOf(one) === `RDS/sidecar/${place}`)
      .map(({ message }) => (message as RouteConfiguration).virtual_hosts?.[0]?.domains);
  t.same(tablesOf('egress'), [[first, second].sort()]);
  catalog.close('egress');
  catalog.update(new Map([[third, all(third)]]));
  catalog.update(new Map([[first, []]]));
  t.same(tablesOf('egress'), [[second, third].sort()]);
  catalog.close('egress');
  catalog.update(new Map([second, third].map((host) => [host, []])));
  t.same(tablesOf('egress'), []);
});

t.test('a start builds no shared table again and again', async (t) => {
  const packed: string[] = [];
  const catalog = new Catalog({
    pack(one) {
      if (one.kind === 'RDS' && at(place).includes(one.name)) packed.push(one.name);
      return one;
    },
  });
  catalog.updateContext(idcs, surroundings);
  const add = (host: string) => catalog.update(new Map([[host, all(host)]]));
  alike.slice(0, 2).forEach(add);
  t.same(packed, [], 'nobody has asked for it');
  catalog.open('egress', egress);
  t.same(packed, at(place), 'once');
  catalog.open('another', egress);
  t.same(packed, at(place), 'and not for the next gateway');
  alike.slice(2).forEach(add);
  t.same(packed, [...at(place), ...at(place)], 'control: then with each change');
});
