import t from 'tap';
import { explainText } from '../../src/cli/explain/explain-text.ts';
import type { ProxyRefusal } from '../../src/explain/refused.ts';
import { dead, fleet, health, instances, shop } from '../support/planes/explained-shop.ts';
import { explaining } from '../support/planes/explaining.ts';

// What proxies on the way refuse. A real Envoy refuses a listener in test/feature/refused-listener.test.ts.

const yaml = shop({ spec: health });
const tcp = yaml.replace('name: http, protocol: HTTP', 'name: tcp, protocol: TCP').replace(/traffic: .*/, '');
const near = instances();
const gone = instances(dead, dead, dead);

/** An answer, and all of it as text. */
async function answer(world: string, hosts: typeof near, ...refusals: readonly Partial<ProxyRefusal>[]) {
  const all = refusals.map((one) => {
    const { names = [] } = one;
    return { node: 'caller', type: 'LDS', message: 'cannot bind\n', names, lacking: [], ...one };
  });
  const found = await explaining({ yaml: world, proxies: fleet(hosts), refusals: all })('cart.shop');
  return { ...found, text: explainText({ ...found, notAsked: [] }, 'table') };
}

const listener = 'tcp/cart.shop:8080/127.0.0.1';

t.test('a listener that the caller goes without: nobody serves', async (t) => {
  const found = await answer(tcp, near, { names: [listener], lacking: [listener] });
  t.equal(found.served, 'nobody');
  t.equal(found.summary, `NOBODY serves it: sh-a/caller goes without LDS ${listener}, which it refused.`);
  t.equal(found.hops.length, 1);
  t.strictSame(found.refused, [
    {
      ...{ node: 'caller', role: 'sidecar', type: 'LDS', why: 'cannot bind' },
      ...{ names: [listener], without: [listener] },
    },
  ]);
  t.match(found.text, `! caller (sidecar) refused LDS ${listener} and goes without ${listener}: cannot bind`);
  const http = await answer(yaml, near, { names: ['outbound'], lacking: ['outbound'], type: 'RDS' });
  t.match(http.summary, /^NOBODY serves it: sh-a\/caller goes without RDS outbound/);
});

t.test('one that it had before, and what is not known yet: it is told', async (t) => {
  const kept = await answer(tcp, near, { names: [listener] });
  t.match([kept.served, kept.refused.length], ['here', 1]);
  t.match(kept.text, /^! caller \(sidecar\) refused LDS tcp\S+ and goes on with what it had, if anything: /m);
  const unknown = await answer(yaml, near, { type: 'CDS' });
  t.match(unknown.text, /^! caller \(sidecar\) refused a part of CDS and goes on /m);
});

t.test('what the way does not use is none of its business', async (t) => {
  const others = [
    { names: ['tcp/other.shop:8080/127.0.0.1'] },
    { names: ['instances/other.shop:8080'], type: 'CDS' },
    { names: ['egress'], type: 'CDS' },
    { names: ['idcs/cart.shop:8080'], type: 'CDS', node: 'out-1' },
    { names: ['edge'], node: 'in-1' },
    { names: ['outbound'], node: 'gone' },
  ];
  const found = await answer(yaml, near, ...others, { names: ['peer'] });
  t.strictSame([found.served, found.refused], ['here', []]);
  const plain = await answer(tcp, near, { names: ['outbound'], lacking: ['outbound'] });
  t.strictSame([plain.served, plain.refused], ['here', []], 'TCP has listeners of its own');
});

t.test('a request that leaves: also what its egress gateways refuse', async (t) => {
  const found = await answer(
    yaml,
    gone,
    { names: ['egress'], type: 'EDS' },
    { names: ['idcs/cart.shop:8080', 'idcs/other.shop:80'], type: 'CDS', node: 'out-1' },
    { names: ['sidecar'], node: 'out-1' },
    { names: ['ingress'], node: 'out-1' },
    { names: ['isthmus.trail.egress-sidecar'], node: 'out-1', type: 'ECDS' },
  );
  t.equal(found.served, 'away');
  t.strictSame(
    found.refused.map(({ node, type, names }) => [node, type, ...names].join(' ')),
    [
      'caller EDS egress',
      'out-1 CDS idcs/cart.shop:8080',
      'out-1 LDS sidecar',
      'out-1 ECDS isthmus.trail.egress-sidecar',
    ],
  );
});

t.test('a connection is no GET', async (t) => {
  const { text } = await answer(tcp, near);
  t.match(text, /^A connection to cart\.shop:8080 from sh-a\/caller:\n/);
  t.match(text, / {3}A connection that cannot be opened is tried again up to 4 times\.\n/);
  t.notMatch(text, /GET|502/);
  const away = await answer(tcp, gone);
  t.equal(away.by, 'sh-b');
  t.notMatch(away.text, /GET|502/);
  t.match((await answer(yaml, near)).text, /^GET \/ to cart\.shop:8080 from sh-a\/caller:\n/, 'HTTP is');
});
