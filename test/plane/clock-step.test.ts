import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { createPipeline } from '../../src/plane/pipeline.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';
import { drGroup, idc, meta, serviceEntry, upserts } from '../index/fixture.ts';
import { manualClock } from '../support/manual-clock.ts';

t.test('an evacuation goes by the wall clock, also when that is set ahead and back', async (t) => {
  const manual = manualClock();
  let offsetMs = 0;
  const clock = { ...manual, wall: () => manual.wall() + offsetMs };
  const localShares: (number | undefined)[] = [];
  const pipeline = createPipeline({
    ...{ idc: 'sh-a', hopLimit: 1, loopPrevention: 'on', clock, logger: silentLogger },
    compiler: createPolicyCompiler({ logger: silentLogger, clock }),
    ledger: new Ledger({
      ...{ clock, logger: silentLogger, events: { note() {} }, metrics: createMetrics('sh-a') },
      ...{ isAnswering: () => true, isConfirmed: () => true, unconfirmed: () => [] },
    }),
    apply: () => ({ revision: 0, changed: 0, subscriptions: {}, resources: new Map(), streams: 0 }),
    onPlanned(plans) {
      const [plan] = plans.get('a.shop') ?? [];
      if (plan) localShares.push(plan.localShare);
    },
    ...{ onRefused() {}, onFilters() {}, onFilterFailure() {} },
  });
  t.teardown(() => pipeline.close());
  const endpoints = ['sh-a', 'sh-b'].map((place, i) => ({
    ...{ address: `10.0.${i}.1`, ports: {}, labels: {}, locality: `${place}/z1` },
  }));
  const expiresAt = clock.wall() + 1_800_000;
  const evacuation = {
    ...{ kind: 'Evacuation' as const, meta: meta('e') },
    spec: { ...{ idc: 'sh-a', groups: [], percent: 50, expiresAt, steps: [], stepMs: 1_000 } },
  };
  pipeline.apply(
    'files',
    upserts(
      ...[idc('sh-a'), idc('sh-b'), drGroup('all', ['a.shop'], undefined, ['sh-a', 'sh-b'])],
      ...[serviceEntry('test/a', ['a.shop'], { endpoints }), evacuation],
    ),
  );
  t.strictSame(localShares, [50]);
  offsetMs = 3_600_000;
  manual.pass(10_000);
  t.strictSame(localShares, [50, undefined], 'an hour ahead it is over');
  offsetMs = -86_400_000;
  manual.pass(10_000);
  t.strictSame(localShares, [50, undefined, 50], 'a day back it has not expired');
  manual.pass(60_000);
  t.equal(localShares.length, 3, 'and looking changes nothing');
});
