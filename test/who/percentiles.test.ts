import t from 'tap';
import { hostsOf } from '../../src/who/load/host-load.ts';
import { loadBetween } from '../../src/who/load/proxy-load.ts';
import { parseStatsPage } from '../../src/who/load/stats-page.ts';
import type { AskedProxy } from '../../src/who/types.ts';

/** What `top` says of a host whose times an Envoy counts so: cumulative, by the bounds of its buckets. */
function percentilesOf(counts: Readonly<Record<number, number>>) {
  const buckets = Object.entries(counts).map(([bound, cumulative]) => ({
    ...{ upper_bound: Number(bound), cumulative },
  }));
  const name = 'cluster.failover/a.test_80.upstream_rq';
  const page = (all: number, histograms: object[]) =>
    parseStatsPage(JSON.stringify({ stats: [{ name: `${name}_completed`, value: all }, { histograms }] }));
  const proxy = { node: 'caller', role: 'sidecar' } as AskedProxy;
  const load = loadBetween(proxy, page(0, []), page(401, [{ name: `${name}_time`, buckets }]));
  const awayOf = () => ({ cluster: 'idcs/a.test:80', isShared: false });
  const places = { idc: 'sh-a', others: [], away: [], awayOf };
  const [host] = hostsOf(load, () => 'failover', places);
  return [host?.p50Ms, host?.p99Ms];
}

t.test('no time is told to be shorter than it was', async (t) => {
  // Of an Envoy 1.40 that measured a P50 of 106.5 ms and a P99 of 409.7.
  t.strictSame(percentilesOf({ 50: 1, 100: 305, 250: 365, 500: 401, 1000: 401 }), [110, 510]);
  t.strictSame(percentilesOf({ 0.5: 300, 1: 401 }), [0.51, 1.1]);
  t.strictSame(percentilesOf({ 5: 300, 25: 400, 2500: 401 }), [5.1, 26]);
});
