import t from 'tap';
import { bucketsBetween, countOfBuckets, percentileOfBuckets, sumOfBuckets } from '../../src/base/buckets.ts';
import { hostOfCluster, parseStatsPage, statsFilter } from '../../src/who/load/stats-page.ts';

t.test('statistics of clusters are read by cluster', async (t) => {
  const page = {
    stats: [
      { name: 'cluster.instances/a.b-c.test_80.upstream_rq_total', value: 7 },
      { name: 'cluster.instances/a.b-c.test_80.upstream_rq_active', value: 2 },
      { name: 'cluster.failover/a.b-c.test_80.upstream_rq_5xx', value: 3 },
      { name: 'cluster.failover/a.b-c.test_80.external.upstream_rq_5xx', value: 3 },
      { name: 'cluster.failover/a.b-c.test_80.retry.upstream_rq_completed', value: 2 },
      { name: 'cluster.failover/a.b-c.test_80.upstream_rq_completed', value: 5 },
      { name: 'cluster.failover/a.b-c.test_80.upstream_cx_none_healthy', value: 1 },
      { name: 'cluster.failover/a.b-c.test_80.upstream_rq_pending_overflow', value: 4 },
      { name: 'http.edge.downstream_rq_active', value: 1 },
      { name: 'http.edge.downstream_rq_completed', value: 8 },
      { name: 'http.outbound.rq_direct_response', value: 3 },
      { name: 'http.edge.no_route', value: 2 },
      { name: 'wasmcustom.isthmus_trail.ingress-peer.peer.sh-b.hops', value: 6 },
      { name: 'cluster.egress.upstream_rq_total', value: 9 },
      {
        histograms: [
          {
            name: 'cluster.failover/a.b-c.test_80.upstream_rq_time',
            buckets: [
              { upper_bound: 1, cumulative: 1 },
              { upper_bound: 5, cumulative: 4 },
            ],
          },
        ],
      },
    ],
  };
  const { clusters: found, edge, unknown, arrived } = parseStatsPage(JSON.stringify(page));
  t.strictSame([edge, [...arrived]], [{ active: 1, answers: 8 }, [['sh-b', 6]]]);
  t.equal(unknown, 5);
  t.strictSame([...found.keys()], ['instances/a.b-c.test_80', 'failover/a.b-c.test_80']);
  t.match(found.get('instances/a.b-c.test_80'), { tries: 7, failed: 0, active: 2 });
  const failover = found.get('failover/a.b-c.test_80');
  t.match(failover, { tries: 0, answers: 5, untried: 5, retries: 0 });
  t.strictSame(
    [failover?.failed, [...(failover?.times ?? [])]],
    [
      3,
      [
        [1, 1],
        [5, 4],
      ],
    ],
  );
  t.strictSame(hostOfCluster('idcs/a.b-c.test_80'), { kind: 'idcs', host: 'a.b-c.test', port: 80 });
  t.equal(hostOfCluster('egress'), undefined);
  const filter = new RegExp(statsFilter);
  const names = page.stats.flatMap(
    ({ name, histograms }) => name ?? histograms?.map((one) => one.name) ?? [],
  );
  const asked = names.filter((name) => filter.test(name));
  t.strictSame(
    names.filter((name) => !asked.includes(name)),
    names.filter((name) => /\.(external|retry)\.|cluster\.egress/.test(name)),
    'what is not needed is not asked for',
  );
  for (const text of ['', '[]', '{}', '{"stats": 1}'])
    t.throws(() => parseStatsPage(text), { code: 'invalid' }, text);
});

t.test('times between two readings, at several proxies', async (t) => {
  const [before, after] = [
    new Map([
      [1, 10],
      [5, 10],
    ]),
    new Map([
      [1, 12],
      [5, 20],
    ]),
  ];
  const one = bucketsBetween(before, after);
  t.strictSame(
    [...one],
    [
      [1, 2],
      [5, 10],
    ],
  );
  const both = sumOfBuckets([
    one,
    new Map([
      [1, 8],
      [5, 10],
    ]),
  ]);
  t.equal(countOfBuckets(both), 20);
  t.equal(percentileOfBuckets(both, 0.5), 1);
  t.equal(percentileOfBuckets(both, 0.99), 5);
  t.equal(percentileOfBuckets(new Map(), 0.5), 0);
  t.strictSame([...bucketsBetween(after, before)], [...before], 'a proxy that was restarted counts from 0');
});
