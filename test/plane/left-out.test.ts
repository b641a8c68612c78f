import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { createPipeline } from '../../src/plane/pipeline.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';
import { endpointsRebuiltAtOnce } from '../../src/translate/catalog.ts';
import { drGroup, idc, serviceEntry, upserts } from '../index/fixture.ts';
import { manualClock } from '../support/manual-clock.ts';

t.test('a gateway of another IDC is left out a slice of the Groups at a time', async (t) => {
  const clock = manualClock();
  let puts: number[] = [];
  const pipeline = createPipeline({
    ...{ idc: 'sh-a', hopLimit: 1, loopPrevention: 'on', clock, logger: silentLogger },
    compiler: createPolicyCompiler({ logger: silentLogger, clock }),
    ledger: new Ledger({
      ...{ clock, logger: silentLogger, events: { note() {} }, metrics: createMetrics('sh-a') },
      ...{ isAnswering: () => true, isConfirmed: () => true, unconfirmed: () => [] },
    }),
    apply(_, changes) {
      puts.push(changes.length);
      return { revision: 0, changed: changes.length, subscriptions: {}, resources: new Map(), streams: 0 };
    },
    ...{ onRefused() {}, onFilters() {}, onFilterFailure() {} },
  });
  t.teardown(() => pipeline.close());
  const other = idc('sh-b');
  const ingress = ['10.9.0.1', '10.9.0.2'].map((address) => ({ address, edgePort: 8000, peerPort: 8001 }));
  const hosts = Array.from({ length: 2 * endpointsRebuiltAtOnce + 1 }, (_, i) => `h${i}.shop`);
  // Groups that are checked have endpoints of their own at an egress; others share them.
  const checked = drGroup('all', hosts, undefined, ['sh-a', 'sh-b']);
  const group = { ...checked, spec: { ...checked.spec, traffic: { health: { path: '/up' } } } };
  const endpoints = [{ address: '10.0.0.1', ports: {}, labels: {}, locality: 'sh-a/z1' }];
  pipeline.apply(
    'files',
    upserts(
      ...[idc('sh-a'), { ...other, spec: { ...other.spec, ingress } }],
      group,
      ...hosts.map((host) => serviceEntry(`test/${host}`, [host], { endpoints })),
    ),
  );
  const listen = { address: '10.9.0.1', port: 1 };
  pipeline.open('egress', { role: 'egress', idc: 'sh-a', sidecar: listen, ingress: listen });
  clock.pass(1_000);
  puts = [];
  const hung = new Set(['10.9.0.2 8001']);
  pipeline.applyReach({ unreached: hung, silent: hung });
  t.strictSame(puts, [], 'not in this turn');
  clock.pass(0);
  t.strictSame(puts, [endpointsRebuiltAtOnce, endpointsRebuiltAtOnce, 1]);
  puts = [];
  pipeline.applyReach({ unreached: new Set(), silent: new Set() });
  clock.pass(0);
  t.equal(
    puts.reduce((sum, count) => sum + count, 0),
    hosts.length,
    'and back',
  );
});
