import t from 'tap';
import type { NodeScope } from '../../src/model/node.ts';
import { ScopeIndex } from '../../src/translate/scopes.ts';

const outbound = { address: '127.0.0.1', port: 1 };
const sidecar = (dependsOn: readonly string[], namespace = 'shop') => ({
  scope: { role: 'sidecar', idc: 'sh-a', namespace, outbound, dependsOn } satisfies NodeScope,
});
const hosts = ['a.shop', 'b.shop', '*.files.shop', 'cart.shop.svc.cluster.local', 'a.other'];

t.test('what a sidecar depends on: names, short names, patterns, from both sides', async (t) => {
  const wanted: readonly (readonly [readonly string[], readonly string[]])[] = [
    [['a.shop'], ['a.shop']],
    [['*.shop'], ['*.files.shop', 'a.shop', 'b.shop']],
    [['x.files.shop'], ['*.files.shop']],
    [['*.files.shop'], ['*.files.shop']],
    [['cart'], ['cart.shop.svc.cluster.local']],
    [['nobody.shop'], []],
    [
      ['a.shop', '*.shop', 'a.shop'],
      ['*.files.shop', 'a.shop', 'b.shop'],
    ],
  ];
  for (const [dependsOn, expected] of wanted) {
    const index = new ScopeIndex();
    const entry = sidecar(dependsOn);
    index.add(entry);
    for (const host of hosts) index.setGroup(host, { host, namespace: 'shop' });
    const what = dependsOn.join();
    t.same(index.keysOf(entry.scope), expected, `${what}: hosts of the scope`);
    t.same(
      hosts.filter((host) => [...index.scopesOf(host)].length > 0).sort(),
      expected,
      `${what}: scopes of each host`,
    );
    for (const host of hosts) t.ok([...index.scopesOf(host)].length <= 1, 'each once');
    index.delete(entry);
    t.same(
      hosts.flatMap((host) => [...index.scopesOf(host)]),
      [],
      'forgotten',
    );
  }
});

t.test('a short name means one of the own namespace only', async (t) => {
  const index = new ScopeIndex();
  index.setGroup('cart.shop.svc.cluster.local', { host: 'cart.shop.svc.cluster.local', namespace: 'shop' });
  t.same(index.keysOf(sidecar(['cart'], 'other').scope), []);
});
