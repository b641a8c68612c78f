import t from 'tap';
import { dead, farAlive, fleet, health, instances, shop, way } from '../support/planes/explained-shop.ts';
import { explaining } from '../support/planes/explaining.ts';

// A Group without checks: egress gateways have its other IDCs in a cluster that Groups share.

t.test('other IDCs are as egress gateways have them in the shared cluster', async (t) => {
  const proxies = fleet(instances(dead, dead, dead)).map((proxy) =>
    proxy.node === 'out-1'
      ? { ...proxy, clusters: { away: farAlive({ health: 'unhealthy', why: ['ejected'] }) } }
      : proxy,
  );
  const explanation = await explaining({ yaml: shop(), proxies })('cart.shop');
  t.strictSame(way(explanation), [
    'sh-a outbound → egress sh-a 100 %',
    'sh-a sidecar → idc sh-c 100 %',
    'sh-c peer → instances sh-c 100 %',
    'sh-c',
  ]);
  t.match(explanation.hops[1], { health: 'proxies', readAt: ['out-1'] });
  t.match(explanation.hops[1]?.choices[0]?.hosts, [{ isUsable: false }, { isUsable: false }]);
  const checked = await explaining({ yaml: shop({ spec: health }), proxies })('cart.shop');
  t.match(checked.hops[1]?.choices[0]?.hosts, [{ health: 'unknown' }, {}], 'one with checks has its own');
});
