import t from 'tap';
import { describeDependencies } from '../../src/delivery/dependencies.ts';
import type { NodeScope } from '../../src/model/node.ts';

const outbound = { address: '127.0.0.1', port: 1 };
const sidecar = (node: string, dependsOn?: readonly string[], namespace = 'shop') => {
  const scope: NodeScope = {
    role: 'sidecar',
    idc: 'sh-a',
    namespace,
    outbound,
    ...(dependsOn && { dependsOn }),
  };
  return { node, scope };
};
const groups = new Map(
  [
    ['checkout.shop', 'shop'],
    ['cart.shop.svc.cluster.local', 'shop'],
    ['*.files.shop', 'shop'],
  ].map(([host = '', namespace = '']) => [`${namespace}/${host}`, { host, entry: { meta: { namespace } } }]),
);

t.test('what a sidecar depends on is found as it is resolved elsewhere', async (t) => {
  const fine = [
    'checkout.shop',
    'cart',
    'cart.shop.svc.cluster.local',
    '*.shop',
    'a.files.shop',
    '*.files.shop',
  ];
  t.same(describeDependencies([sidecar('a', fine), sidecar('b')], groups), []);
});

t.test('what nobody has is told once, with who wants it', async (t) => {
  t.match(describeDependencies([sidecar('a', ['chekout.shop']), sidecar('b', ['chekout.shop'])], groups), [
    { where: 'a (and 1 more)', message: /^depends on chekout\.shop, .* Did you mean 'checkout\.shop'\?$/ },
  ]);
  t.match(describeDependencies([sidecar('a', ['cart'], 'other')], groups), [
    { message: /^depends on cart,/ },
  ]);
  t.match(describeDependencies([sidecar('a', ['*.bar'])], groups), [{ message: /^depends on \*\.bar,/ }]);
  t.match(describeDependencies([sidecar('a', undefined, 'shpo')], groups), [
    { message: /^gets the Groups of namespace shpo, .* Did you mean 'shop'\?$/ },
  ]);
});
