import t from 'tap';
import { explainContract } from '../../src/contract/explain.ts';
import { dead, farAlive, fleet, health, instances, shop, way } from '../support/planes/explained-shop.ts';
import { explaining, type Seen } from '../support/planes/explaining.ts';

// The way of a request by plans and readings, with exact values. What real Envoys do with them is compared in
// test/feature/explain.test.ts.

t.test('the whole answer for a request that stays', async (t) => {
  const explain = explaining({ yaml: shop({ spec: health }), proxies: fleet(instances({}, {}, dead)) });
  const whole = await explain('cart.shop', {});
  t.strictSame(explainContract.explain.answers[200].schema.parse(whole), whole, 'as the contract has it');
  const { at: when, ...answer } = whole;
  t.match(when, /^\d{4}-\d\d-\d\dT/);
  const origin = 'world.yaml';
  t.strictSame(answer, {
    ...{ host: 'cart.shop', port: 8080, protocol: 'http1', idc: 'sh-a' },
    others: [
      { idc: 'sh-b', controlPlanes: [] },
      { idc: 'sh-c', controlPlanes: [] },
    ],
    from: { node: 'caller', role: 'sidecar', name: 'sh-a/caller' },
    request: { method: 'GET', path: '/', trail: [] },
    ...{ served: 'here', by: 'sh-a', summary: 'sh-a serves it, where it begins.' },
    hops: [
      {
        ...{ idc: 'sh-a', at: 'sh-a/caller', listener: 'outbound', trail: [] },
        decision: 'sh-a/caller sends it to one of 2 instances in sh-a.',
        by: [
          {
            ...{ kind: 'ServiceEntry', namespace: 'shop', name: 'cart', origin },
            does: 'declares cart.shop:8080 and its instances',
          },
          {
            ...{ kind: 'DrGroup', namespace: '', name: 'shop', origin },
            does: 'lets requests leave sh-a for sh-b, sh-c, hop limit 2',
          },
          { kind: 'Idc', namespace: '', name: 'sh-a', origin, does: 'the gateways of sh-a' },
        ],
        choices: [
          {
            ...{ priority: 0, to: 'instances', idc: 'sh-a', percent: 100, isChosen: true },
            why: '2 of 3 can serve',
            hosts: [
              { address: '10.1.1.1:8080', name: 'shop/cart-1', health: 'healthy', isUsable: true, why: '' },
              { address: '10.1.1.2:8080', name: 'shop/cart-2', health: 'healthy', isUsable: true, why: '' },
              {
                ...{ address: '10.1.1.3:8080', name: 'shop/cart-3', health: 'unhealthy', isUsable: false },
                why: 'health check times out',
              },
            ],
          },
          {
            ...{ priority: 1, to: 'egress', idc: 'sh-a', percent: 0, isChosen: false },
            why: 'next, once fewer than half of the instances can serve',
            hosts: [
              {
                ...{ address: '10.1.0.3:90', name: 'sh-a/egress-1', node: 'out-1' },
                ...{ health: 'healthy', isUsable: true, why: '' },
              },
            ],
          },
        ],
        retries:
          'GET is tried again up to 3 times if it was never sent, the connection broke, or the answer is 502, 503 or 504.',
        ...{ health: 'proxies', readAt: ['caller'] },
      },
    ],
    ...{ assumed: [], notes: [], refused: [], silent: [] },
  });
});

t.test('parts of the requests, as Envoy divides them', async (t) => {
  const percents = async (near: readonly Seen[], spec = health) => {
    const { hops } = await explaining({ yaml: shop({ spec }), proxies: fleet(near) })('cart.shop');
    return hops[0]?.choices.map(({ percent }) => percent);
  };
  t.strictSame(await percents(instances()), [100, 0]);
  t.strictSame(await percents(instances(dead)), [100, 0]);
  t.strictSame(await percents(instances(dead, dead)), [66, 34]);
  t.strictSame(await percents(instances(dead, dead, dead)), [0, 100]);
  const told: Partial<Seen> = { health: 'unhealthy', why: ['told-unhealthy'] };
  t.strictSame(await percents(instances(told, told)), [100, 0], 'who says so itself is not counted');
});

t.test('other IDCs in order, by weight, and while they cannot', async (t) => {
  const gone = instances(dead, dead, dead);
  const first = explaining({ yaml: shop({ spec: health }), proxies: fleet(gone) });
  t.strictSame(way(await first('cart.shop')), [
    'sh-a outbound → egress sh-a 100 %',
    'sh-a sidecar → idc sh-b 100 %',
    'sh-b peer → instances sh-b 100 %',
    'sh-b',
  ]);
  const second = explaining({ yaml: shop({ spec: health }), proxies: fleet(gone, farAlive(dead)) });
  const answer = await second('cart.shop', { whyNot: 'sh-b' });
  t.equal(way(answer)[1], 'sh-a sidecar → idc sh-c 100 %');
  t.match(
    answer.whyNot?.reasons[0],
    /^No ingress gateway of sh-b can be used at an egress gateway of sh-a: sh-b\/ingress-1 \(health check times out\), .* no instance that can serve\.$/,
  );
  const nobody = await explaining({
    yaml: shop({ spec: health }),
    proxies: fleet(gone, farAlive(dead, dead)),
  })('cart.shop');
  t.match(nobody, {
    served: 'nobody',
    status: 503,
    hops: [{}, { decision: /may send it to no other IDC that can serve: 503, no-idc/ }],
  });
  const order = '{name: sh-a, weight: 1}, {name: sh-b, weight: 1}, {name: sh-c, weight: 3}';
  const shared = farAlive().map((one) => ({ ...one, priority: 0 }));
  const weighted = await explaining({ yaml: shop({ spec: health, order }), proxies: fleet(gone, shared) })(
    'cart.shop',
    {
      whyNot: 'sh-b',
    },
  );
  t.strictSame(
    weighted.hops[1]?.choices.map(({ idc, percent }) => [idc, percent]),
    [
      ['sh-b', 25],
      ['sh-c', 75],
    ],
  );
  t.strictSame(weighted.whyNot?.reasons, [
    'sh-b gets 25 % of these requests, and sh-c 75 %: they share by weight.',
  ]);
});

t.test('what the trail forbids', async (t) => {
  const gone = instances(dead, dead, dead);
  const explain = explaining({ yaml: shop({ spec: health }), proxies: fleet(gone) });
  const from = 'sh-a/in-1';
  const came = await explain('cart.shop', { from, trail: ['sh-b'], whyNot: 'sh-b' });
  t.strictSame(way(came), [
    'sh-a peer → egress sh-a 100 %',
    'sh-a ingress → idc sh-c 100 %',
    'sh-c peer → instances sh-c 100 %',
    'sh-c',
  ]);
  t.strictSame(came.whyNot?.reasons, ['sh-b is forbidden: the request has been there (trail sh-b,sh-a).']);
  t.strictSame(
    came.hops.map(({ trail }) => trail.join()),
    ['sh-b,sh-a', 'sh-b,sh-a', 'sh-b,sh-a,sh-c'],
  );
  const limit = explaining({ yaml: shop({ spec: health }), proxies: fleet(gone), hopLimit: 1 });
  const stayed = await limit('cart.shop', { from, trail: ['sh-b'], whyNot: 'sh-c' });
  t.strictSame(way(stayed), ['sh-a peer → nobody', 'nobody']);
  t.equal(
    stayed.hops[0]?.decision,
    'sh-a/ingress-1 (in-1) has nobody to send it to, and may not hand it on after 1 crossing: 503, no-idc.',
  );
  const loop = await explain('cart.shop', { from, trail: ['sh-a', 'sh-b'] });
  t.match(loop, {
    served: 'nobody',
    status: 508,
    hops: [{ decision: 'sh-a/ingress-1 (in-1) refuses it, loop prevention: 508, loop (trail sh-a,sh-b).' }],
  });
  const far = await explain('cart.shop', { from, trail: ['sh-d', 'sh-b', 'sh-c'] });
  t.match(far, { served: 'nobody', status: 400, hops: [{ decision: /400, hop-limit/ }] });
  const stranger = await explain('cart.shop', { from, trail: ['sh-x'] });
  t.strictSame(
    way(stranger),
    ['sh-a peer → nobody', 'nobody'],
    'an IDC that is not declared: served here or not at all',
  );
  const workload = await explain('cart.shop', { trail: ['sh-b'] });
  t.equal(workload.by, 'sh-b');
  t.match(workload.notes, [
    /A trail that a workload sends is dropped: .* give --from sh-a\/ingress-1 --trail sh-b\./,
    /^What happens in sh-b is by the registry of sh-a/,
  ]);
});

t.test('without checks an IDC is asked to know that it has nobody, and hands on', async (t) => {
  const proxies = fleet(instances(dead, dead, dead));
  const none = (idc: string) => shop().replace(new RegExp(`locality: ${idc}`, 'g'), 'locality: sh-a');
  const one = await explaining({ yaml: none('sh-b'), proxies, hopLimit: 1 })('cart.shop');
  t.strictSame(way(one).slice(1), [
    'sh-a sidecar → idc sh-b 100 %',
    'sh-b peer → nobody',
    'sh-a sidecar → idc sh-c 0 %',
    'sh-c peer → instances sh-c 100 %',
    'sh-c',
  ]);
  t.match(
    one.hops[3]?.decision,
    /^sh-b had nobody: an egress gateway of sh-a sends it to one of 2 ingress gateways of sh-c\.$/,
  );
  const two = await explaining({ yaml: none('sh-b'), proxies })('cart.shop', { whyNot: 'sh-b' });
  t.strictSame(way(two).slice(1), [
    'sh-a sidecar → idc sh-b 100 %',
    'sh-b peer → egress sh-b 100 %',
    'sh-b ingress → idc sh-c 100 %',
    'sh-c peer → instances sh-c 100 %',
    'sh-c',
  ]);
  t.match(two.whyNot?.reasons, [
    /^It is asked, and does not serve: An ingress gateway of sh-b sends it to sh-b\/egress-1\.$/,
  ]);
});

t.test('what if: an instance, a gateway, an IDC, by each of their names', async (t) => {
  const explain = explaining({ yaml: shop({ spec: health }), proxies: fleet(instances()) });
  const ends = async (...names: readonly string[]) => {
    const { by = 'nobody', assumed } = await explain('cart.shop', {
      if: names.map((name) => `${name}=down`),
    });
    t.equal(assumed.length, names.length);
    return by;
  };
  t.equal(await ends('shop/cart-1', 'sh-a/cart-2'), 'sh-a');
  const all = ['shop/cart-1', 'sh-a/10.1.1.2', '10.1.1.3:8080'];
  t.equal(await ends(...all), 'sh-b');
  t.equal(await ends(...all, 'sh-b/ingress-1'), 'sh-b', 'its other gateway is used');
  t.equal(await ends(...all, 'sh-b/ingress-1', '10.2.0.2:81'), 'sh-c');
  t.equal(await ends(...all, 'sh-b'), 'sh-c');
  t.equal(await ends(...all, 'shop/cart-4'), 'sh-c', 'checks through its gateways fail');
  t.equal(await ends(...all, 'sh-a/out-1'), 'nobody', 'a gateway by its node id');
  t.equal(await ends('sh-a'), 'nobody');
  const { hops } = await explain('cart.shop', { if: ['shop/cart-1=down'] });
  t.strictSame(hops[0]?.choices[0]?.hosts[0], {
    ...{ address: '10.1.1.1:8080', name: 'shop/cart-1', health: 'down', isUsable: false, why: 'assumed' },
  });
});

t.test('why not, where no health could change it', async (t) => {
  const proxies = fleet(instances());
  const why = async (yaml: string, whyNot: string, hopLimit = 2) =>
    (await explaining({ yaml, proxies, hopLimit })('cart.shop', { whyNot })).whyNot?.reasons;
  t.strictSame(await why(shop({ drGroup: false }), 'sh-b'), [
    'Requests for cart.shop never leave sh-a: no DrGroup has the host. Add it to spec.hosts of one.',
  ]);
  t.strictSame(await why(shop({ order: '{name: sh-a}, {name: sh-b}' }), 'sh-c'), [
    'DrGroup shop does not list sh-c: it has sh-a and sh-b. Add it to spec.idcs.',
  ]);
  t.strictSame(await why(shop({ spec: 'hopLimit: 0' }), 'sh-b'), [
    'DrGroup shop has hopLimit 0: its requests never leave sh-a.',
  ]);
  t.strictSame(await why(shop(), 'sh-b', 0), [
    'The mesh has hop limit 0 (--hop-limit): no request leaves an IDC.',
  ]);
  t.strictSame(await why(shop(), 'sh-c'), [
    'The instances of sh-a come first, and 3 of 3 can serve.',
    'sh-c comes after sh-b once fewer than half of them can serve.',
  ]);
  t.strictSame(await why(shop(), 'sh-a'), ['sh-a is chosen: it serves the request.']);
});

t.test('an evacuated IDC keeps its part, or is the last resort', async (t) => {
  const evacuation = (percent: number) => `${shop({ spec: health })}---
apiVersion: isthmus.dev/v1alpha1
kind: Evacuation
metadata: {name: works}
spec: {idc: sh-a, percent: ${percent}, expires: '${new Date(Date.now() + 3_600_000).toISOString()}'}
`;
  const some = await explaining({ yaml: evacuation(30), proxies: fleet(instances()) })('cart.shop');
  t.strictSame(
    some.hops[0]?.choices.map(({ percent, why }) => [percent, why]),
    [
      [70, 'sh-a keeps 70 % (evacuated, or coming back); 3 of 3 can serve'],
      [30, 'what the instances leave'],
    ],
  );
  t.match(some.hops[0]?.by, [
    {},
    {},
    { kind: 'Evacuation', name: 'works', does: 'moves 30 % of the requests out of sh-a' },
  ]);
  const last: Partial<Seen> = { health: 'degraded', why: ['last-resort'] };
  const whole = await explaining({ yaml: evacuation(100), proxies: fleet(instances(last, last, last)) })(
    'cart.shop',
    {
      whyNot: 'sh-a',
    },
  );
  t.equal(whole.by, 'sh-b');
  t.match(whole.whyNot?.reasons.at(-1), 'sh-a is evacuated: its instances are the last resort.');
  const alone = await explaining({
    yaml: evacuation(100),
    proxies: fleet(instances(last, last, last), farAlive(dead, dead)),
  })('cart.shop');
  t.equal(alone.by, 'sh-a');
  t.match(
    alone.hops.at(-1)?.decision,
    /^No other IDC serves it: sh-a\/caller sends it to one of 3 instances in sh-a, the last resort\.$/,
  );
});

t.test('a hung gateway is not used', async (t) => {
  const hung = { idc: 'sh-b', kind: 'ingress', address: '10.2.0.1', port: 81 } as const;
  const explain = explaining({
    ...{ yaml: shop({ spec: health }), proxies: fleet(instances(dead, dead, dead)) },
    hungGateways: [hung],
  });
  const { hops } = await explain('cart.shop');
  t.equal(hops[1]?.decision, 'An egress gateway of sh-a sends it to sh-b/ingress-2.');
  t.match(hops[1]?.choices[0]?.hosts[0], {
    health: 'unhealthy',
    isUsable: false,
    why: /never answers: taken out of use/,
  });
});

t.test('nobody can be read: what is registered counts, and this is said', async (t) => {
  const proxies = fleet(instances()).map(({ clusters: _, ...proxy }) => proxy);
  const answer = await explaining({ yaml: shop({ spec: health }), proxies })('cart.shop');
  t.match(answer, { by: 'sh-a', hops: [{ health: 'registry', readAt: [] }] });
  t.equal(
    answer.summary,
    'sh-a serves it, where it begins, if what is registered is healthy: the proxy where it begins does not tell.',
  );
  t.strictSame(
    answer.hops[0]?.choices[0]?.hosts.map((host) => [host.health, host.isUsable]),
    Array(3).fill(['unknown', true]),
  );
  t.strictSame(answer.silent.map(({ node }) => node).sort(), ['caller', 'out-1']);
});

t.test('without loop prevention a way without an end has one here', async (t) => {
  const yaml = shop().replace(/locality: sh-./g, 'locality: elsewhere');
  const proxies = fleet([]).map(({ clusters: _, ...proxy }) => proxy);
  const answer = await explaining({ yaml, proxies, loopPrevention: 'off' })('cart.shop');
  t.match(answer, { served: 'nobody', summary: /loop prevention is off: it goes in circles/ });
  t.ok(answer.hops.length >= 24, String(answer.hops.length));
});

t.test('an IDC whose instances are in its own registry alone serves if checks through it pass', async (t) => {
  const none = (yaml: string) => yaml.replace(/locality: sh-b/g, 'locality: sh-a');
  const gone = instances(dead, dead, dead);
  const checked = { yaml: none(shop({ spec: health })), hopLimit: 1 };
  const answer = await explaining({ ...checked, proxies: fleet(gone) })('cart.shop');
  t.strictSame(way(answer).slice(1), [
    'sh-a sidecar → idc sh-b 100 %',
    'sh-b peer → instances sh-b 100 %',
    'sh-b',
  ]);
  t.match(answer.hops[2], {
    decision:
      /^An ingress gateway of sh-b sends it to an instance of sh-b, which is not in the registry of sh-a\.$/,
    choices: [{ hosts: [], why: 'health checks through its gateways pass' }],
    ...{ health: 'proxies', readAt: ['out-1'] },
  });
  const failed = await explaining({ ...checked, proxies: fleet(gone, farAlive(dead)) })('cart.shop');
  t.equal(failed.by, 'sh-c', 'control: checks that fail');
});
