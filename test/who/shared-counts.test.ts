import t from 'tap';
import { whoText } from '../../src/cli/who/who-text.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { awayCluster } from '../../src/translate/names.ts';
import { parseStatsPage, statsFilterOf } from '../../src/who/load/stats-page.ts';
import { createTopReader } from '../../src/who/load/top.ts';
import type { AskedProxy, SeenHost } from '../../src/who/types.ts';
import { createWhoReader } from '../../src/who/who.ts';
import { manualClock } from '../support/manual-clock.ts';
import { farAlive, fleet, instances, shop } from '../support/planes/explained-shop.ts';
import { planned } from '../support/planes/planned.ts';

// Egress gateways count requests of a Group with those of others that leave the IDC alike: what is told then.

const common = { priority: 0, weight: 1, idc: '', zone: '', health: 'healthy', why: [] } as const;

/** What the caller and the egress gateway have counted at a reading: of the Group, and to each gateway. */
interface Counts {
  readonly answers: number;
  readonly retries?: number;
  readonly tries: number;
  readonly unsent?: number;
  /** Of all Groups, to the first gateway of sh-b and of sh-c. */
  readonly gone: readonly [number, number];
}

/** Readers of a world in which two readings find these counts. */
function readers(counts: readonly [Counts, Counts]) {
  const clock = manualClock();
  const { view, plansOf } = planned(shop(), clock.wall());
  const [plan] = plansOf('cart.shop');
  if (plan === undefined) throw new Error('it has no plan');
  const shared = awayCluster(plan);
  const proxies = fleet(instances());
  const asked = proxies.map(
    ({ node, scope }, i): AskedProxy => ({
      ...{ node, scope, role: scope.role, peer: '127.0.0.1:9' },
      clusters: { address: '127.0.0.1', port: i + 1 },
    }),
  );
  const readings = new Map<string, number>();
  const countsAt = (key: string) => {
    const nth = readings.get(key) ?? 0;
    readings.set(key, nth + 1);
    return counts[Math.min(nth, 1)] as Counts;
  };
  const host = (seen: Partial<SeenHost>, requests: number): SeenHost =>
    ({ ...common, active: 0, ...seen, requests }) as SeenHost;
  const options = {
    ...{ idc: 'sh-a', clock, view: () => view, plansOf, proxies: () => asked, gone: () => [] },
    ...{ probe: async () => 'answers' as const, evacuations: () => [], held: () => new Map() },
    async read({ port }: ListenAddress) {
      const proxy = proxies[port - 1];
      const { tries, gone } = countsAt(`clusters ${port}`);
      if (proxy?.scope.role === 'egress')
        return new Map([[shared, farAlive().map((one, i) => host(one, i % 2 ? 0 : (gone[i / 2] ?? 0)))]]);
      const near = instances().map((one, i) => host(one, i === 0 && proxy?.node === 'caller' ? tries : 0));
      return new Map([['instances/cart.shop:8080', near]]);
    },
    async readStats({ port }: ListenAddress) {
      const { answers, tries, retries = 0, unsent = 0, gone } = countsAt(`stats ${port}`);
      const names: Readonly<Record<string, number>> =
        port === 1
          ? {
              'failover/cart.shop_8080.upstream_rq_completed': answers,
              'failover/cart.shop_8080.upstream_rq_retry': retries,
              'instances/cart.shop_8080.upstream_rq_total': tries,
              'instances/cart.shop_8080.upstream_rq_pending_failure_eject': unsent,
            }
          : port === 3
            ? {
                [`${shared}.upstream_rq_total`]: gone[0] + gone[1],
                [`${shared}.upstream_rq_completed`]: gone[0] + gone[1],
              }
            : {};
      const stats = Object.entries(names).map(([name, value]) => ({ name: `cluster.${name}`, value }));
      return parseStatsPage(JSON.stringify({ stats: [...stats, { histograms: [] }] }));
    },
  };
  const [who, top] = [createWhoReader(options), createTopReader(options)];
  const after = async <T>(answer: Promise<T>): Promise<T> => {
    const done = answer.then(() => true);
    while (!(await Promise.race([done, new Promise((next) => setImmediate(next, false))]))) clock.pass(1_000);
    return answer;
  };
  return {
    who: () => after(who.who('cart.shop', 1_000)),
    top: () => after(top.top(1_000)),
  };
}

/** Of 100 requests 30 left: by sh-b and sh-c together these and 500 of other Groups. */
const before: Counts = { answers: 10, tries: 10, gone: [7, 0] };
const oneIdc: readonly [Counts, Counts] = [before, { answers: 110, tries: 80, gone: [537, 0] }];
const twoIdcs: readonly [Counts, Counts] = [before, { answers: 110, tries: 80, gone: [507, 30] }];

t.test('who: one IDC had all requests of these Groups', async (t) => {
  const report = await readers(oneIdc).who();
  const [group] = report.groups;
  t.match(group, { requests: 100, awayShare: 0.3, served: 'here', takesOver: 'sh-b' });
  t.match(group?.next, [
    { idc: 'sh-b', usable: 'yes', requests: 30, share: 0.3, isShared: true },
    { idc: 'sh-c', usable: 'yes', requests: 0, share: 0 },
  ]);
  t.strictSame(
    group?.next[0]?.gateways.map(({ requests, share }) => [requests, share]),
    [
      [530, undefined],
      [0, undefined],
    ],
    'at gateways those of all Groups, of which this one has no share',
  );
  t.notMatch(whoText({ admin: '', ...report } as never, 'table'), /not known/);
});

t.test('who: several IDCs had some, and which had how many is not told', async (t) => {
  const report = await readers(twoIdcs).who();
  const [group] = report.groups;
  t.match(group, { requests: 100, awayShare: 0.3 });
  t.strictSame(
    group?.next.map(({ requests, share }) => [requests, share]),
    [
      [undefined, undefined],
      [undefined, undefined],
    ],
  );
  const text = whoText({ admin: '', ...report } as never, 'table');
  t.match(text, /100 requests, 30 % of them to other IDCs\./);
  t.match(text, /To which IDC is not known: egress gateways count them with those of other Groups\./);
});

t.test('who: nothing of this Group left, whatever others send', async (t) => {
  const report = await readers([before, { answers: 110, tries: 110, gone: [507, 30] }]).who();
  t.match(report.groups[0], { requests: 100, awayShare: 0, next: [{ requests: 0 }, { requests: 0 }] });
});

t.test('top: requests that left by one IDC, by several, and tries that were never sent', async (t) => {
  const idcsOf = async (counts: readonly [Counts, Counts]) => {
    const { hosts, proxies } = await readers(counts).top();
    t.equal(proxies.find(({ node }) => node === 'out-1')?.requests, 530, 'of all Groups');
    return hosts.find(({ host }) => host === 'cart.shop')?.idcs;
  };
  const here = { idc: 'sh-a', requests: 70 };
  t.strictSame(await idcsOf(oneIdc), [here, { idc: 'sh-b', requests: 30 }]);
  t.strictSame(await idcsOf(twoIdcs), [here, { idc: 'unknown', requests: 30 }]);
  const [, last] = oneIdc;
  t.strictSame(
    await idcsOf([before, { ...last, retries: 20, unsent: 20 }]),
    [here, { idc: 'sh-b', requests: 30 }],
    'twenty found no connection to an instance, and were tried again',
  );
});

t.test('statistics of some Groups are asked for by name', async (t) => {
  const filter = new RegExp(statsFilterOf(['a.shop:80', '*.b:8080']));
  t.match('cluster.failover/a.shop_80.upstream_rq_completed', filter);
  t.match('cluster.instances/*.b_8080.upstream_rq_total', filter);
  t.notMatch('cluster.failover/a-shop_80.upstream_rq_completed', filter);
  t.notMatch('cluster.failover/a.shop_80.lb_healthy_panic', filter);
});
