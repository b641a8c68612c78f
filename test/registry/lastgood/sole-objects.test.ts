import t from 'tap';
import { type MeshObject, refKey, refOf } from '../../../src/model/object.ts';
import { findSoleObjects } from '../../../src/registry/lastgood/sole-objects.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { drGroup, idc, type RawObject, service, workload } from '../objects.ts';

function read(raw: RawObject): MeshObject {
  const { object, faults } = parseObject(raw, 'test');
  if (object === undefined) throw new Error(JSON.stringify(faults));
  return object;
}

/** What is lost with each of the objects `gone`, by key, if `rest` stays. */
function soles(gone: readonly RawObject[], rest: readonly RawObject[] = []): Record<string, string> {
  const missing = gone.map(read);
  const keys = new Map(missing.map((object) => [refKey(refOf(object)), object]));
  return Object.fromEntries(findSoleObjects(keys, [...missing, ...rest.map(read)]));
}

const shop = service('checkout', 'checkout.shop');
const rule = (name: string, trafficPolicy: object): RawObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name, namespace: 'shop' },
  spec: { host: 'checkout.shop', trafficPolicy },
});

t.test('the last ServiceEntry of a host', async (t) => {
  t.strictSame(soles([shop]), { 'ServiceEntry/shop/checkout': 'host checkout.shop' });
  t.strictSame(soles([shop], [service('other', 'checkout.shop')]), {}, 'another one declares it');
  t.strictSame(soles([shop], [service('other', 'cart.shop')]), {
    'ServiceEntry/shop/checkout': 'host checkout.shop',
  });
  const two = service('two', 'a.shop', { hosts: ['checkout.shop', 'b.shop'] });
  t.strictSame(
    soles([two], [shop]),
    { 'ServiceEntry/shop/two': 'host b.shop' },
    'the host that nobody else has',
  );
});

t.test('the last instances of a host in an IDC, one or several', async (t) => {
  const lost = 'the last instance of checkout.shop in sh-a';
  t.strictSame(soles([workload('w-1')], [shop]), { 'WorkloadEntry/shop/w-1': lost });
  t.strictSame(soles([workload('w-1')], [shop, workload('w-2')]), {}, 'one is left');
  t.strictSame(
    soles([workload('w-1'), workload('w-2')], [shop, workload('w-3', { labels: { app: 'cart' } })]),
    {
      'WorkloadEntry/shop/w-1': lost,
      'WorkloadEntry/shop/w-2': lost,
    },
  );
  const elsewhere = workload('w-2', { locality: 'sh-b/zone-1' });
  t.strictSame(
    soles([workload('w-1')], [shop, elsewhere]),
    { 'WorkloadEntry/shop/w-1': lost },
    'one in another IDC',
  );
  t.strictSame(soles([workload('w-1')], []), {}, 'nobody selects it');
  const other = { ...workload('w-2'), metadata: { name: 'w-2', namespace: 'bank' } };
  t.strictSame(
    soles([workload('w-1')], [shop, other]),
    { 'WorkloadEntry/shop/w-1': lost },
    'another namespace',
  );
});

t.test('selectors of several labels, of none, and labels of the metadata', async (t) => {
  const exact = service('v2', 'v2.shop', {
    workloadSelector: { labels: { app: 'checkout', version: 'v2' } },
  });
  const v2 = workload('w-2', { labels: { app: 'checkout', version: 'v2' } });
  t.strictSame(soles([v2], [exact, shop, workload('w-1')]), {
    'WorkloadEntry/shop/w-2': 'the last instance of v2.shop in sh-a',
  });
  const labelled = {
    ...workload('w-3'),
    metadata: { name: 'w-3', namespace: 'shop', labels: { version: 'v2' } },
  };
  t.strictSame(soles([v2], [exact, labelled]), {}, 'its metadata has the label');
  t.strictSame(soles([labelled], [exact]), {
    'WorkloadEntry/shop/w-3': 'the last instance of v2.shop in sh-a',
  });
});

t.test('a ServiceEntry and its instances that go together', async (t) => {
  t.strictSame(Object.keys(soles([shop, workload('w-1')], [idc('sh-a')])).sort(), [
    'ServiceEntry/shop/checkout',
    'WorkloadEntry/shop/w-1',
  ]);
});

t.test('DrGroups, Idcs, and rules that originate TLS; no other rules', async (t) => {
  t.strictSame(soles([drGroup('g', ['checkout.shop'], 'sh-a', 'sh-b')]), {
    'DrGroup//g': 'the failover of checkout.shop',
  });
  t.strictSame(soles([idc('sh-b')], [idc('sh-a')]), { 'Idc//sh-b': 'IDC sh-b' });
  const tls = { tls: { mode: 'SIMPLE', sni: 'checkout.shop' } };
  t.strictSame(soles([rule('r', tls)]), { 'DestinationRule/shop/r': 'TLS to checkout.shop' });
  t.strictSame(soles([rule('r', tls)], [rule('s', tls)]), {});
  t.strictSame(soles([rule('r', { loadBalancer: { simple: 'RANDOM' } })]), {});
});

t.test('the same as by comparing every instance with every selector', async (t) => {
  // A small generator of numbers: the same worlds at each run.
  let seed = 7;
  const next = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  for (let round = 0; round < 200; round++) {
    const labels = () =>
      Object.fromEntries(['a', 'b', 'c'].slice(0, 1 + next(3)).map((key) => [key, `${next(2)}`]));
    const entries = Array.from({ length: 1 + next(4) }, (_, n) =>
      service(`s-${n}`, `h-${n}.shop`, { workloadSelector: { labels: labels() } }),
    );
    const all = Array.from({ length: 1 + next(8) }, (_, n) =>
      workload(`w-${n}`, { labels: labels(), locality: `sh-${'ab'[next(2)]}/z` }),
    );
    const gone = all.filter(() => next(2) === 0);
    const rest = all.filter((one) => !gone.includes(one));
    const has = (entry: RawObject, one: RawObject) => {
      const { labels: wanted } = entry.spec.workloadSelector as { labels: Record<string, string> };
      const own = one.spec.labels as Record<string, string>;
      return Object.entries(wanted).every(([key, value]) => own[key] === value);
    };
    const expected = gone.filter((one) =>
      entries.some(
        (entry) =>
          has(entry, one) &&
          !rest.some((other) => other.spec.locality === one.spec.locality && has(entry, other)),
      ),
    );
    const found = Object.keys(soles(gone, [...rest, ...entries])).sort();
    t.strictSame(
      found,
      expected.map(({ metadata }) => `WorkloadEntry/shop/${metadata.name}`).sort(),
      `round ${round}`,
    );
  }
});
