import t from 'tap';
import type { PlannedGroups } from '../../src/plan/planner.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { packResource, templateOfPacked } from '../../src/plane/push/pack-resource.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import { AlikeGroups, type FillAlike } from '../../src/translate/group/alike.ts';
import type { BuiltResource } from '../../src/translate/resources.ts';
import { codecStats, EncodedResource } from '../../src/xds/codec/codec.ts';
import { ResourceTemplate } from '../../src/xds/codec/resource-template.ts';
import { goldenCases, planCase } from '../support/golden.ts';
import { hung, plansOf } from './fixture.ts';

/** Hosts of four lengths; none begins or ends as another of its length does. */
const hostsOf = (host: string) =>
  ['a', 'pay', 'x-1.q', 'order.items'].flatMap((word) =>
    Array.from(
      { length: 8 },
      (_, i) => `${'kmrtwyce'[i]}${word}${'35.79842'[i]}${host.length}${'bdfhnjus'[i]}`,
    ),
  );

/** Every Group of a case many times, under other hosts and with instances of its own. */
function manyOf(plans: PlannedGroups): PlannedGroups {
  const many = new Map<string, readonly GroupPlan[]>();
  let last = 0;
  for (const [host, own] of plans)
    for (const other of [host, ...hostsOf(host)]) {
      last += 1;
      const endpointsOf = (plan: GroupPlan) =>
        plan.instances.map((locality) => ({
          ...locality,
          endpoints: locality.endpoints.map((one) => ({ ...one, weight: last })),
        }));
      const named = (plan: GroupPlan) => ({ ...plan, group: { ...plan.group, host: other } });
      many.set(
        other,
        own.map((plan) => ({ ...named(plan), instances: endpointsOf(plan) })),
      );
    }
  return many;
}

/** What each of a case's proxies is sent of these Groups, and how many resources were encoded for it. */
function sentOf(name: string, plans: PlannedGroups, templates: boolean) {
  const { idcs, scopes } = planCase(name);
  const catalog = new Catalog({ pack: packResource, ...(templates && { templateOf: templateOfPacked }) });
  catalog.updateContext(idcs, { localIdc: idcs.get('sh-a'), filters: {} });
  catalog.update(plans);
  const before = codecStats.resourcesEncoded;
  const sent = () =>
    Object.entries(scopes).map(([role, scope]) => ({ role, all: catalog.open(role, scope) }));
  const first = sent();
  const encoded = codecStats.resourcesEncoded - before;
  // Gateways that hang change what egress gateways have, in templates too.
  catalog.updateContext(idcs, { localIdc: idcs.get('sh-a'), filters: {}, hungGateways: hung });
  return { all: [...first, ...sent()].map(({ role, all }) => ({ role, all: all.map(told) })), encoded };
}

function told({ kind, name, message }: BuiltResource): string {
  if ('@type' in message) return `${kind} ${name} not encoded`;
  const { name: own, version, refs, bytes } = message;
  return `${kind} ${name} ${own} ${version} ${refs} ${bytes.toString('latin1')}`;
}

/** In the order in which a client gets those of a type: types are sent one by one. */
function byType({ role, all }: { readonly role: string; readonly all: readonly string[] }) {
  return { role, ...Object.groupBy(all, (one) => one.slice(0, one.indexOf(' '))) };
}

let [encodedOfAlike, encodedOfAll] = [0, 0];
for (const name of goldenCases())
  t.test(`${name}: alike Groups get what they would get if each was built`, async (t) => {
    const plans = manyOf(planCase(name).plans);
    const [alike, each] = [sentOf(name, plans, true), sentOf(name, plans, false)];
    t.ok(each.all.flatMap(({ all }) => all).length > 0);
    for (const [i, one] of each.all.entries())
      t.strictSame(byType(alike.all[i] ?? { role: '', all: [] }), byType(one), one.role);
    encodedOfAlike += alike.encoded;
    encodedOfAll += each.encoded;
  });

t.test('most of them are not built', async (t) => {
  t.ok(encodedOfAlike < 0.6 * encodedOfAll, `${encodedOfAlike} of ${encodedOfAll} were encoded`);
});

/** A cluster that says its host, and `more` of it. */
const cluster = (host: string, more: string): BuiltResource => {
  const message = {
    '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    name: `instances/${host}`,
    alt_stat_name: more,
  } as const;
  return packResource({ kind: 'CDS', name: `instances/${host}`, message }, false);
};

t.test('what has more of a host in it than its text is built for each', async (t) => {
  const alike = new AlikeGroups(templateOfPacked);
  const run = (slot: string, moreOf: (host: string) => string) => {
    let built = 0;
    const hosts = ['one.a.example', 'two.a.example', 'six.b.example', 'ten.c.example', 'new.d.example'];
    const names = hosts.map((host) => {
      const plans = plansOf(host, 'shop', '10.0.0.1');
      const kind = alike.kindOf(plans.map((plan) => ({ ...plan, ...shared })));
      const made = kind?.build(slot, undefined, plans, [], ([plan]) => {
        built += 1;
        const text = plan?.group.host ?? '';
        return [cluster(text, moreOf(text))];
      });
      t.strictSame(made?.map(told), [cluster(host, moreOf(host))].map(told), `${slot} of ${host}`);
      return made?.[0]?.name;
    });
    t.strictSame(
      names,
      hosts.map((host) => `instances/${host}`),
    );
    return built;
  };
  t.equal(
    run('text', (host) => `${host} and ${host}`),
    3,
    'the first, the second, and the template',
  );
  t.equal(
    run('label', (host) => host.split('.')[1] ?? ''),
    6,
  );
  t.equal(
    run('escaped', (host) => host.replaceAll('.', '\\.')),
    6,
  );
  t.equal(
    run('digest', (host) => `${[...host].reduce((sum, one) => sum + one.charCodeAt(0), 0) % 16}`),
    6,
  );
});

/** Parts of the fixture's plans that are objects, as the planner shares them. */
const shared = Object.fromEntries(
  Object.entries(plansOf('h', 'shop', '10.0.0.1')[0] ?? {}).filter(
    ([key, value]) => typeof value === 'object' && key !== 'group',
  ),
) as Partial<GroupPlan>;

t.test('a template takes words of its own length alone, and unencoded resources are none', async (t) => {
  const one = cluster('host.example', 'x').message as EncodedResource;
  const template = new ResourceTemplate(one, 'host.example', EncodedResource);
  t.ok(template.fill('mist.example').equals(cluster('mist.example', 'x').message as EncodedResource));
  t.throws(() => template.fill('longer.example'), /'longer\.example' is not as long as 'host\.example'/);
  t.equal(
    new ResourceTemplate(one, 'nowhere', EncodedResource).fill('another'),
    one,
    'without the word it is the same for all',
  );
  const refused = { kind: 'CDS', name: 'a', message: { '@type': 'type.googleapis.com/x' } } as unknown;
  const none: FillAlike | undefined = templateOfPacked([refused as BuiltResource], 'a');
  t.equal(none, undefined);
});
