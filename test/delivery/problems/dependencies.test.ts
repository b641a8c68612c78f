import t from 'tap';
import { describeDependencies } from '../../../src/delivery/problems/dependencies.ts';
import type { NodeScope } from '../../../src/model/node.ts';

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
function entry(namespace: string, protocol: string, resolution = 'STATIC') {
  return { meta: { namespace }, spec: { resolution, ports: [{ protocol }] } };
}
const groups = new Map(
  [
    ['checkout.shop', 'shop'],
    ['cart.shop.svc.cluster.local', 'shop'],
    ['*.files.shop', 'shop'],
  ].map(([host = '', namespace = '']) => [`${namespace}/${host}`, { host, entry: entry(namespace, 'HTTP') }]),
);

t.test('dependencies of a sidecar are resolved as everywhere', async (t) => {
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

t.test('a name that nobody has is reported once, with the nodes', async (t) => {
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

t.test('what a gRPC client without a proxy cannot use is told', async (t) => {
  const client = (dependsOn: readonly string[]) => {
    const scope: NodeScope = { role: 'grpc', idc: 'sh-a', namespace: 'shop', dependsOn };
    return [{ node: 'c', scope }];
  };
  const some = new Map([
    ['a', { host: 'a.shop', entry: entry('shop', 'GRPC') }],
    ['b', { host: 'b.shop', entry: entry('shop', 'HTTP2', 'DNS') }],
    ...groups,
  ]);
  t.same(describeDependencies(client(['a.shop']), some), []);
  for (const host of ['b.shop', 'checkout.shop'])
    t.match(describeDependencies(client([host]), some), [
      {
        where: 'c',
        message: new RegExp(`^depends on ${host}, which is not served to a gRPC client without a proxy`),
      },
    ]);
  t.match(describeDependencies(client(['no.shop']), some), [{ message: /which no ServiceEntry declares/ }]);
});

t.test('names that a gRPC client dials in vain are reported, with the remedy', async (t) => {
  const some = new Map([
    ['a', { host: 'a.shop', entry: entry('shop', 'GRPC') }],
    ['b', { host: 'b.shop', entry: entry('shop', 'HTTP') }],
  ]);
  const dials = (target: string, dependsOn?: readonly string[]) => {
    const scope: NodeScope = {
      role: 'grpc',
      idc: 'sh-a',
      namespace: 'shop',
      ...(dependsOn && { dependsOn }),
    };
    return describeDependencies([{ node: 'c', scope, absent: [target] }], some).map(({ message }) => message);
  };
  t.match(dials('aa.shop'), [
    /^dials xds:\/\/\/aa\.shop in vain: no ServiceEntry declares .* Did you mean 'a\.shop'/,
  ]);
  t.match(dials('b.shop:80'), [/a port of b\.shop must be GRPC or HTTP2/]);
  t.match(dials('a.shop:81'), [/name the port, xds:\/\/\/a\.shop:PORT/]);
  t.equal(dials('b.shop', ['b.shop']).length, 1, 'once');
  const sidecars = [{ ...sidecar('s'), absent: ['any'] }];
  t.strictSame(describeDependencies(sidecars, some), [], 'to a sidecar listeners are something else');
});
