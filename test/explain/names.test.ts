import t from 'tap';
import { entryYaml } from '../support/objects-yaml.ts';
import { explaining } from '../support/planes/explaining.ts';

// Names in questions: what is meant, and what is said where nothing or too much is meant.

const outbound = { address: '127.0.0.1', port: 15_001 };
const yaml = `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-a}
spec: {ingress: [{address: 10.1.0.1, edgePort: 80, peerPort: 81}], egress: [{address: 10.1.0.2, sidecarPort: 90, ingressPort: 91}]}
---
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-b}
spec:
  controlPlanes: ['10.2.0.9:15014']
  ingress: [{address: 10.2.0.1, edgePort: 80, peerPort: 81}]
  egress: [{address: 10.2.0.2, sidecarPort: 90, ingressPort: 91}]
---${entryYaml('cart', 'ports: [{number: 80, name: http, protocol: HTTP}, {number: 90, name: more, protocol: HTTP}]\n  endpoints: [{address: 10.1.1.1, locality: sh-a}, {address: 10.2.1.1, locality: sh-b}]')}
---${entryYaml('inner', "ports: [{number: 80, name: http, protocol: HTTP}]\n  exportTo: ['.']\n  endpoints: [{address: 10.1.1.2, locality: sh-a}]")}
`;
const explain = explaining({
  yaml,
  gone: [
    {
      node: 'left',
      scope: { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound },
      goneForMs: 120_000,
    },
  ],
  proxies: [
    { node: 'caller', scope: { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } },
    { node: 'other', scope: { role: 'sidecar', idc: 'sh-a', namespace: 'web', outbound } },
    {
      node: 'narrow',
      scope: { role: 'sidecar', idc: 'sh-a', namespace: 'web', dependsOn: ['inner.shop'], outbound },
    },
    { node: 'mute', scope: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } },
    {
      node: 'gw',
      scope: {
        ...{ role: 'ingress', idc: 'sh-a' },
        ...{ edge: { address: '10.1.0.1', port: 80 }, peer: { address: '10.1.0.1', port: 81 } },
      },
    },
    {
      node: 'ingress-1',
      scope: {
        ...{ role: 'egress', idc: 'sh-a' },
        ...{ sidecar: { address: '10.1.0.2', port: 90 }, ingress: { address: '10.1.0.2', port: 91 } },
      },
    },
  ],
});

t.test('where it begins: a node with or without its IDC, a gateway by its place', async (t) => {
  for (const [from, node] of [
    ['sh-a/caller', 'caller'],
    ['caller', 'caller'],
    [' sh-a/gw', 'gw'],
  ] as const)
    t.equal((await explain('cart.shop', { from })).from.node, node);
  await t.rejects(
    explain('cart.shop', { from: 'sh-a/ingress-1' }),
    /ingress-1 is an egress gateway/,
    'a node id precedes a place',
  );
  await t.rejects(
    explain('cart.shop', { from: 'sh-b/caller' }),
    /of sh-a, and knows the proxies of sh-a alone: ask one of sh-b: --admin 10\.2\.0\.9:15014/,
  );
  await t.rejects(
    explain('cart.shop', { from: 'sh-a/calle' }),
    /'calle' of sh-a is connected: connected are caller, gw, mute, narrow and other\. Did you mean 'caller'\?/,
  );
  await t.rejects(
    explain('cart.shop', { from: 'sh-a/left' }),
    /left of sh-a has not been connected for 2 min, and what it has is not known: connected are caller, /,
  );
  await t.rejects(
    explain('cart.shop', { from: 'mute' }),
    /mute calls nobody: its bootstrap has no --outbound/,
  );
});

t.test('a host, one of its ports, and hosts that there are not', async (t) => {
  t.equal((await explain('cart.shop')).port, 80, 'the default port');
  t.equal((await explain('CART.shop:90')).port, 90);
  await t.rejects(explain('cart.shop:91'), /cart\.shop has no port 91: it has 80, 90/);
  await t.rejects(explain('card.shop'), /no host 'card\.shop': it has 2 hosts\. Did you mean 'cart\.shop'\?/);
});

t.test('a proxy without the host answers 404 itself, and why', async (t) => {
  const answer = await explain('cart.shop', { from: 'other' });
  t.match(answer, {
    ...{ served: 'nobody', status: 404, port: 80 },
    hops: [
      {
        decision:
          'other answers 404, unknown-host: the host is of namespace shop, and other has the hosts of web alone: start it with --depends-on cart.shop.',
      },
    ],
  });
  t.match(
    (await explain('cart.shop', { from: 'narrow' })).summary,
    /narrow does not depend on it: add it to its --depends-on/,
  );
  t.match(
    (await explain('inner.shop', { from: 'narrow' })).summary,
    /ServiceEntry shop\/inner is not exported to namespace web \(exportTo\)/,
  );
  t.match(await explain('inner.shop', { from: 'gw' }), {
    served: 'nobody',
    status: 404,
    hops: [
      {
        decision:
          /^sh-a\/gw answers 404, unknown-host: an edge serves neither hosts with exportTo nor external ones\.$/,
      },
    ],
  });
});

t.test('what is assumed: names that are not there, or not whole', async (t) => {
  const assume = (text: string) => explain('cart.shop', { if: [text] });
  await t.rejects(
    assume('sh-b'),
    /'sh-b' assumes nothing: give NAME=down or NAME=up, such as sh-b\/ingress-1=down, or IDC=evacuated/,
  );
  await t.rejects(assume('sh-b=overloaded'), /'sh-b=overloaded' assumes nothing/);
  await t.rejects(
    assume('cart.shop@sh-c=down'),
    /named 'cart\.shop@sh-c': .* Did you mean 'cart\.shop@sh-[ab]'\?/,
  );
  await t.rejects(assume('card.shop@sh-b=down'), /Did you mean 'cart\.shop@sh-b'\?/);
  await t.rejects(
    assume('sh-a/gw=evacuated'),
    /the ingress gateway of sh-a at 10\.1\.0\.1 cannot be evacuated: give an IDC, such as sh-a=evacuated/,
  );
  await t.rejects(
    explain('cart.shop', { if: ['sh-b=down', 'sh-b=up'] }),
    /sh-b is assumed to be down, and up: give one of the two/,
  );
  await t.rejects(
    assume('sh-b/ingress-3=down'),
    /named 'sh-b\/ingress-3': there are .* Did you mean 'sh-b\/ingress-1'\?/,
  );
  t.match((await assume('sh-a/gw=down')).assumed, [
    { name: 'sh-a/gw', what: 'the ingress gateway of sh-a at 10.1.0.1' },
  ]);
  t.match(
    (await assume('sh-a/ingress-1=down')).assumed,
    [{ what: 'the egress gateway of sh-a at 10.1.0.2' }],
    'a node id precedes a place',
  );
  t.match((await assume('10.2.1.1=down')).assumed, [{ what: 'the instance 10.2.1.1:80 of sh-b' }]);
  t.match((await assume('cart.shop:80@sh-b=up')).assumed, [
    { state: 'up', what: 'the instances of cart.shop in sh-b', as: ['cart.shop@sh-b'] },
  ]);
  t.match((await assume('shop/cart@sh-b=down')).assumed, [{ what: 'the instances of cart.shop in sh-b' }]);
  const known = await explain('cart.shop', { ifKnown: ['nobody=down', '10.2.1.1=down', 'sh-b=evacuated'] });
  t.strictSame(
    known.assumed.map(({ name, as }) => [name, ...as]),
    [
      ['10.2.1.1', 'sh-b/10.2.1.1:80'],
      ['sh-b', 'sh-b'],
    ],
  );
  await t.rejects(
    explain('cart.shop', { whyNot: 'sh-x' }),
    /no Idc is named 'sh-x': there are sh-a and sh-b\. Did you mean 'sh-a'\?/,
  );
});
