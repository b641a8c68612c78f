import t from 'tap';
import { createServedReader } from '../../src/who/served.ts';
import type { AskedProxy, SeenHost } from '../../src/who/types.ts';
import { manualClock } from '../support/manual-clock.ts';
import { dead, farAlive, fleet, health, instances, shop } from '../support/planes/explained-shop.ts';
import type { ConnectedProxy } from '../support/planes/explaining.ts';
import { planned } from '../support/planes/planned.ts';

// Which Groups no other IDC could take over: what an operator has to know before the IDC fails.

const common = { priority: 0, weight: 1, idc: '', zone: '', health: 'healthy', why: [] } as const;

/** What is served, as proxies have it; `probe`: what an egress gateway does that cannot be read. */
async function served(
  proxies: readonly ConnectedProxy[],
  yaml = shop({ spec: health }),
  probe: 'answers' | 'refused' = 'answers',
) {
  const clock = manualClock();
  const { view, plansOf } = planned(yaml, clock.wall());
  const read = createServedReader({
    ...{ idc: 'sh-a', clock, view: () => view, plansOf },
    ...{ gone: () => [], probe: async () => probe, evacuations: () => [], held: () => new Map() },
    proxies: () =>
      proxies.map(
        ({ node, scope }, i): AskedProxy => ({
          ...{ node, scope, role: scope.role, peer: '127.0.0.1:9' },
          clusters: { address: '127.0.0.1', port: i + 1 },
        }),
      ),
    read: async ({ port }) =>
      new Map(
        Object.entries(proxies[port - 1]?.clusters ?? {}).map(([name, hosts]) => [
          name,
          hosts.map((host): SeenHost => ({ ...common, requests: 0, active: 0, ...host })),
        ]),
      ),
  });
  return read();
}

const cart = [{ host: 'cart.shop', namespace: 'shop', port: 8080 }];

t.test('a Group that no other IDC could take over', async (t) => {
  t.match(await served(fleet(instances(), farAlive(dead, dead))), { notHere: [], alone: cart });
  t.strictSame((await served(fleet(instances(), farAlive(dead)))).alone, [], 'sh-c could');
  t.strictSame((await served(fleet(instances(), farAlive()))).alone, [], 'both could');
});

t.test('what is not known, or not meant, is not told', async (t) => {
  const fresh = { health: 'unhealthy', why: ['not-checked'] } as const;
  t.strictSame((await served(fleet(instances(), farAlive(fresh, dead)))).alone, [], 'not checked yet');
  const without = fleet(instances()).filter(({ node }) => node !== 'out-1');
  t.strictSame((await served(without)).alone, [], 'no egress gateway is read, and one answers');
  const stays = await served(fleet(instances(), farAlive(dead, dead)), shop({ drGroup: false }));
  t.strictSame(stays.alone, [], 'a Group that never leaves');
});

t.test('no egress gateway answers', async (t) => {
  const without = fleet(instances()).filter(({ node }) => node !== 'out-1');
  const { alone } = await served(without, undefined, 'refused');
  const why = 'no egress gateway of sh-a answers (sh-a/egress-1: not connected, accepts no connection)';
  t.strictSame(alone, [{ ...cart[0], why }]);
});

t.test('what another IDC serves, or nobody, is told as that', async (t) => {
  const gone = instances(dead, dead, dead);
  t.match(await served(fleet(gone)), { alone: [], notHere: [{ served: 'away', by: 'sh-b' }] });
  t.match(await served(fleet(gone, farAlive(dead, dead))), { alone: [], notHere: [{ served: 'nobody' }] });
});
