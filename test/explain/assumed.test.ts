import t from 'tap';
import { dead, farAlive, fleet, health, instances, shop, way } from '../support/planes/explained-shop.ts';
import { explaining, type Seen } from '../support/planes/explaining.ts';

// What is assumed overrules what proxies say, and what other control planes have told what is registered
// here.

const yaml = shop({ spec: health });
/** All instances of sh-a are dead. */
const left = fleet(instances(dead, dead, dead));
const explain = explaining({ yaml, proxies: left });

t.test('without an assumption it leaves for sh-b', async (t) => {
  t.equal((await explain('cart.shop')).by, 'sh-b');
});

t.test('instances, gateways and IDCs are up, whatever the proxies say', async (t) => {
  const up = await explain('cart.shop', { if: ['cart.shop@sh-a=up'] });
  t.strictSame(way(up), ['sh-a outbound → instances sh-a 100 %', 'sh-a']);
  t.match(up.hops[0]?.choices[0]?.hosts, [
    { health: 'healthy', isUsable: true, why: 'assumed' },
    { why: 'assumed' },
    { why: 'assumed' },
  ]);
  const one = await explain('cart.shop', { if: ['shop/cart-1=up'] });
  t.equal(one.hops[0]?.choices[0]?.hosts.filter(({ isUsable }) => isUsable).length, 1);

  const deadThere = explaining({ yaml, proxies: fleet(instances(dead, dead, dead), farAlive(dead)) });
  t.equal((await deadThere('cart.shop')).by, 'sh-c');
  for (const name of ['sh-b', 'sh-b/ingress-2', 'shop/cart-4', 'cart.shop@sh-b'])
    t.equal((await deadThere('cart.shop', { if: [`${name}=up`] })).by, 'sh-b', name);
  t.equal((await deadThere('cart.shop', { if: ['shop/cart-5=up'] })).by, 'sh-c', 'the control');

  const hung = [1, 2].map((n) => ({
    ...{ idc: 'sh-b', kind: 'ingress', address: `10.2.0.${n}`, port: 81 },
  })) as never;
  const hanging = explaining({ yaml, proxies: left, hungGateways: hung });
  t.equal((await hanging('cart.shop')).by, 'sh-c');
  t.equal((await hanging('cart.shop', { if: ['sh-b/ingress-1=up'] })).by, 'sh-b');
});

t.test('several together: of two that overlap the narrower one counts', async (t) => {
  const both = await explain('cart.shop', { if: ['sh-b=down', 'sh-c=down'] });
  t.match(both, { served: 'nobody', status: 503 });
  const narrower = await explain('cart.shop', {
    if: ['sh-b/ingress-1=up', 'sh-b=down', 'shop/cart-4=up'],
  });
  t.match(narrower.hops[1]?.choices[0]?.hosts, [
    { name: 'sh-b/ingress-1', why: 'assumed', isUsable: true },
    { name: 'sh-b/ingress-2', health: 'down', isUsable: false },
  ]);
});

t.test('an IDC is evacuated: as if an Evacuation of it were in force', async (t) => {
  const evacuated = `${yaml}---
apiVersion: isthmus.dev/v1alpha1
kind: Evacuation
metadata: {name: works}
spec: {idc: sh-a, percent: 100, expires: '${new Date(Date.now() + 3_600_000).toISOString()}'}
`;
  const last: Partial<Seen> = { health: 'degraded', why: ['last-resort'] };
  const really = explaining({ yaml: evacuated, proxies: fleet(instances(last, last, last)) });
  const supposed = explaining({ yaml, proxies: fleet(instances()) });
  const question = { if: ['sh-a=evacuated'], whyNot: 'sh-a' };
  const [now, then] = [await really('cart.shop', { whyNot: 'sh-a' }), await supposed('cart.shop', question)];
  t.equal(then.by, 'sh-b');
  t.strictSame(way(then), way(now));
  t.strictSame(then.whyNot, now.whyNot);
  t.strictSame(then.hops[0]?.choices, now.hops[0]?.choices);
  t.equal((await explain('cart.shop', { if: ['sh-b=evacuated'] })).by, 'sh-c', 'another comes first then');
  const none = await supposed('cart.shop', { if: ['sh-a=evacuated', 'sh-b=down', 'sh-c=down'] });
  t.match(none, { served: 'here', by: 'sh-a' }, 'the last resort');
});

t.test('what other control planes have told decides, not what is registered here', async (t) => {
  const told = async (...texts: string[]) => explain('cart.shop', { told: texts });
  const served = await told('sh-b=sh-a>sh-b');
  t.strictSame(way(served), [
    ...['sh-a outbound → egress sh-a 100 %', 'sh-a sidecar → idc sh-b 100 %', 'sh-b peer → nobody', 'sh-b'],
  ]);
  t.match(served, {
    summary: 'sh-b serves it, after 1 crossing.',
    hops: [
      {},
      {},
      { decision: 'sh-b serves it, as the control plane of sh-b says.', trail: ['sh-a', 'sh-b'] },
    ],
  });
  t.notMatch(served.notes, [/by the registry of sh-a/]);
  t.match(
    (await explain('cart.shop')).notes,
    [/What happens in sh-b is by the registry of sh-a/],
    'the control',
  );

  const next = await told('sh-b=503');
  t.equal(next.by, 'sh-c');
  t.match(next.hops.map(({ decision }) => decision).join('\n'), /sh-b had nobody: an egress gateway of sh-a/);
  t.match(next.notes, [/What happens in sh-c is by the registry of sh-a/]);
  t.match(await told('sh-b=503', 'sh-c=503'), { served: 'nobody', status: 503 });
  t.match(
    await told('sh-b=503-handed-on'),
    { served: 'nobody', status: 503 },
    'all that are left were asked',
  );
  t.match(await told('sh-b=508'), { served: 'nobody', status: 508 }, 'refused: nobody else is asked');
  t.match(await told('sh-b=sh-a>sh-b>sh-c'), { by: 'sh-c', summary: 'sh-c serves it, after 2 crossings.' });
  await t.rejects(told('sh-b'), /'sh-b' tells nothing: give IDC=STATUS, or IDC=TRAIL such as sh-b=sh-a>sh-b/);
});
