import t from 'tap';
import {
  type SlowProxyFacts,
  slowProxyRows,
  slowProxyUnprotected,
} from '../../../src/drill/drills/slowproxy/verdict.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import { goodMeasurement } from '../fixture.ts';

const mib = 2 ** 20;
const good: SlowProxyFacts = {
  ...{ stopped: 'ingress-2', others: 202, memoryBefore: 300 * mib, memoryAfter: 310 * mib },
  before: { edits: 40, count: 8_120, meanMs: 20 },
  during: { edits: 40, count: 8_080, meanMs: 25 },
  ...{ deregisteredMs: 21_000, forgiven: ['ingress-2'] },
};
const own = ['others-acked', 'others-as-fast', 'memory-flat', 'guard-held', 'guard-released'];
const of = (change: Partial<SlowProxyFacts>) => ({ ...goodMeasurement(), ...good, ...change });
const missed = (change: Partial<SlowProxyFacts>) =>
  slowProxyRows(of(change))
    .filter(({ id, ok }) => own.includes(id) && !ok)
    .map(({ id }) => id);

t.test('each row fails for its own reason', async (t) => {
  t.strictSame(missed({}), []);
  t.strictSame(missed({ during: { ...good.during, count: 7_000 } }), ['others-acked']);
  t.strictSame(missed({ during: { ...good.during, meanMs: 41 } }), ['others-as-fast']);
  t.strictSame(missed({ during: { ...good.during, meanMs: Number.NaN } }), ['others-as-fast']);
  t.strictSame(missed({ memoryAfter: 400 * mib }), ['memory-flat']);
  t.strictSame(missed({ forgiven: [] }), ['guard-held']);
  t.strictSame(missed({ deregisteredMs: 60_000 }), ['guard-released']);
  t.strictSame(missed({ deregisteredMs: Number.NaN }), ['guard-held', 'guard-released']);
});

t.test('the negative control must fail because nothing waited', async (t) => {
  const against = (change: Partial<SlowProxyFacts>) =>
    slowProxyUnprotected(of(change), verdictOf(slowProxyRows(of(change))));
  t.strictSame(against({ deregisteredMs: 3, forgiven: [] }), []);
  t.match(against({}), [/waited nevertheless/]);
});
