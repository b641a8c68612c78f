import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import type { MeshView } from '../../src/index/view.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { findTakers } from '../../src/who/gateways/takers.ts';
import type { AskedProxy, SeenHost } from '../../src/who/types.ts';

// Which IDC takes requests that leave, by one reading of egress gateways.

const plan = (host: string, ...idcs: string[]) =>
  ({
    ...{ group: { host, port: 80 }, namespace: 'shop' },
    crossing: { idcs: idcs.map((idc, priority) => ({ idc, priority })) },
  }) as unknown as GroupPlan;

const egress: AskedProxy = {
  ...{ node: 'out-1', role: 'egress', peer: '127.0.0.1:9', clusters: { address: '127.0.0.1', port: 1 } },
  scope: {
    ...{ role: 'egress', idc: 'sh-a' },
    ...{ sidecar: { address: '10.1.0.3', port: 90 }, ingress: { address: '10.1.0.3', port: 91 } },
  },
};
const view = {
  idcs: new Map([
    [
      'sh-a',
      {
        meta: { name: 'sh-a' },
        spec: { egress: [{ address: '10.1.0.3', sidecarPort: 90, ingressPort: 91 }] },
      },
    ],
  ]),
} as unknown as MeshView;

const seen = (idc: string, health: SeenHost['health'], why: SeenHost['why'] = []): SeenHost => ({
  ...{ address: `10.9.0.1:${idc.charCodeAt(3)}`, priority: 0, weight: 1, idc, zone: '', health, why },
  ...{ requests: 0, active: 0 },
});

/** The taker of a Group that may go to sh-b and then to sh-c. */
async function taker(hosts: readonly SeenHost[] | undefined, isAlive = true, proxies = [egress]) {
  const asked = plan('a.shop', 'sh-b', 'sh-c');
  const found = await findTakers(
    {
      ...{ idc: 'sh-a', clock: systemClock, view: () => view, proxies: () => proxies, gone: () => [] },
      probe: async () => (isAlive ? 'answers' : 'refused'),
      async read() {
        if (hosts === undefined) throw new Error('refused');
        return new Map([['idcs/a.shop:80', hosts]]);
      },
    },
    [asked],
  );
  return found.get(asked);
}

t.test('the first in order that can', async (t) => {
  const both = [seen('sh-b', 'healthy'), seen('sh-c', 'healthy')];
  t.strictSame(await taker(both), { to: 'sh-b' });
  const one = [seen('sh-b', 'unhealthy', ['check-failed']), seen('sh-c', 'healthy')];
  t.strictSame(await taker(one), { to: 'sh-c', unable: ['sh-b'] });
  const none = [seen('sh-b', 'unhealthy', ['check-failed']), seen('sh-c', 'unhealthy', ['ejected'])];
  t.strictSame(await taker(none), { unable: ['sh-b', 'sh-c'] });
});

t.test('what is not known counts as able', async (t) => {
  t.strictSame(await taker(undefined), { to: 'sh-b' }, 'a gateway that cannot be read, and answers');
  t.strictSame(await taker([seen('sh-b', 'unhealthy', ['not-checked'])]), { to: 'sh-b', unable: ['sh-c'] });
});

t.test('no egress gateway is left: nobody takes over', async (t) => {
  t.strictSame(await taker(undefined, false), { unable: ['sh-b', 'sh-c'] });
  t.strictSame(await taker([], false, []), { unable: ['sh-b', 'sh-c'] });
});

t.test('Groups beyond the limit are left out', async (t) => {
  const plans = Array.from({ length: 60 }, (_, i) => plan(`h${i}.shop`, 'sh-b'));
  let names = 0;
  const found = await findTakers(
    {
      ...{ idc: 'sh-a', clock: systemClock, view: () => view, proxies: () => [egress], gone: () => [] },
      probe: async () => 'answers',
      async read(_, asked) {
        names = asked.length;
        return new Map();
      },
    },
    plans,
  );
  t.strictSame([names, found.size], [50, 50]);
});
